import AxeBuilder from '@axe-core/playwright';
import { expect, test, type Page } from '@playwright/test';
import { expectNoSidewaysScroll } from './page.ts';
import { SCREENS } from './screens.ts';

const TAGS = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'];

test('axe finds nothing on any screen, light and dark', async ({ browser }) => {
  test.setTimeout(900_000);
  // Without motion: colours on their way to others are no colours of a theme.
  const context = await browser.newContext({ colorScheme: 'light', reducedMotion: 'reduce' });
  const page = await context.newPage();
  for (const { name, show } of SCREENS) {
    await test.step(name, async () => {
      await show(page);
      // What lies half under the bar is no smaller for it.
      await page.evaluate(() => scrollTo(0, 0));
      const axe = (): AxeBuilder => {
        const builder = new AxeBuilder({ page });
        // Hundreds of rows are alike.
        const rows = '[role=grid] [role=row]:nth-child(n + 4)';
        return name === 'structures' ? builder : builder.exclude(rows);
      };
      await expectNothing(axe().withTags(TAGS), `${name}, light`);
      // The themes differ in their colours only.
      await page.emulateMedia({ colorScheme: 'dark' });
      await expectNothing(axe().withRules(['color-contrast']), `${name}, dark`);
      await page.emulateMedia({ colorScheme: 'light' });
    });
  }
  await context.close();
});

async function expectNothing(axe: AxeBuilder, what: string): Promise<void> {
  const { violations } = await axe.analyze();
  const found = violations.map(({ id, nodes }) => ({ id, where: nodes.map((node) => node.html) }));
  expect.soft(found, what).toEqual([]);
}

/** 320 px are also 1280 at 400 %. */
test('nothing scrolls sideways at 320 and 360 px, with colours of the system and without motion', async ({
  browser,
}) => {
  test.setTimeout(300_000);
  const narrow = { width: 320, height: 740 };
  const media = { forcedColors: 'active', reducedMotion: 'reduce' } as const;
  const page = await browser.newPage({ viewport: narrow, ...media });
  for (const screen of SCREENS) {
    await test.step(screen.name, async () => {
      await screen.show(page);
      await expectNoSidewaysScroll(page);
      await expectNoMotion(page);
      await page.setViewportSize({ ...narrow, width: 360 });
      await expectNoSidewaysScroll(page);
      await page.setViewportSize(narrow);
    });
  }
  await page.context().close();
});

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
