import AxeBuilder from '@axe-core/playwright';
import { expect, test, type Page } from '@playwright/test';
import { expectNoSidewaysScroll } from './page.ts';
import { SCREENS } from './screens.ts';

const TAGS = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'];

for (const colorScheme of ['light', 'dark'] as const) {
  test(`axe finds nothing on any screen, ${colorScheme}`, async ({ browser }) => {
    test.setTimeout(420_000);
    const context = await browser.newContext({ colorScheme });
    const page = await context.newPage();
    for (const screen of SCREENS) {
      await test.step(screen.name, async () => {
        await screen.show(page);
        // What lies half under the bar is no smaller for it.
        await page.evaluate(() => scrollTo(0, 0));
        const axe = new AxeBuilder({ page });
        // The themes differ in their colours only; hundreds of cells are alike in both.
        if (colorScheme === 'dark') axe.withRules(['color-contrast']);
        else axe.withTags(TAGS);
        if (screen.name !== 'structures') axe.exclude('[role=grid] [role=row]:nth-child(n + 4)');
        const { violations } = await axe.analyze();
        const found = violations.map(({ id, nodes }) => ({
          id,
          where: nodes.map((node) => node.html),
        }));
        expect.soft(found, screen.name).toEqual([]);
      });
    }
    await context.close();
  });
}

/** 320 px are also 1280 at 400 %. */
const WAYS = [
  { name: '360 px', width: 360 },
  { name: '320 px, with colours of the system and without motion', width: 320, forced: true },
];

for (const { name, width, forced = false } of WAYS) {
  test(`nothing scrolls sideways at ${name}`, async ({ browser }) => {
    test.setTimeout(180_000);
    const page = await browser.newPage({
      viewport: { width, height: 740 },
      ...(forced ? { forcedColors: 'active', reducedMotion: 'reduce' } : {}),
    });
    for (const screen of SCREENS) {
      await test.step(screen.name, async () => {
        await screen.show(page);
        await expectNoSidewaysScroll(page);
        if (forced) await expectNoMotion(page);
      });
    }
    await page.context().close();
  });
}

/** Nothing moves for those who do not want it. */
async function expectNoMotion(page: Page): Promise<void> {
  const moving = await page.evaluate(() =>
    document
      .getAnimations()
      .filter(({ playState, effect }) => {
        const { duration = 0 } = effect?.getComputedTiming() ?? {};
        return playState === 'running' && Number(duration) > 20;
      })
      .map(({ effect }) => (effect as KeyframeEffect).target?.outerHTML.slice(0, 100)),
  );
  expect(moving).toEqual([]);
}

test('targets are at least 24 px, or have room around them', async ({ page }) => {
  for (const screen of SCREENS.slice(0, 4)) {
    await screen.show(page);
    const small = await page.evaluate(() =>
      [...document.querySelectorAll('button, a[href], input, select, summary')]
        .filter((element) => !element.classList.contains('sr-only') && element.checkVisibility())
        .filter((element) => !element.matches('.link, label input, .skip'))
        .map((element) => ({ element, box: element.getBoundingClientRect() }))
        .filter(({ box }) => box.width < 24 || box.height < 24)
        .map(({ element }) => element.outerHTML.slice(0, 120)),
    );
    expect(small, screen.name).toEqual([]);
  }
});
