import { expect, type Page } from '@playwright/test';
import { keptImage, suspiciousChain } from './chain-images.ts';
import { diskFile } from './disk-images.ts';
import { damagedSample, HEADER, made, SAMPLE } from './images.ts';
import { choose, openImage, start } from './page.ts';

/** A screen, and how to get there from the one before. */
export interface Screen {
  name: string;
  show: (page: Page) => Promise<void>;
}

/** Every screen of the app in the order in which one test can walk through them. */
export const SCREENS: Screen[] = [
  { name: 'start', show: start },
  {
    name: 'new image',
    show: async (page) => {
      await page.getByTestId('new').click();
      await page.getByTestId('create-encrypted').check();
      await page.getByTestId('create-more').locator('summary').click();
    },
  },
  {
    name: 'new image, faults',
    show: async (page) => {
      await page.getByTestId('create-size').fill('much');
      await page.getByTestId('create-format-vmdk').check({ force: true });
    },
  },
  {
    name: 'overview',
    show: async (page) => {
      await openImage(page, SAMPLE);
      await expect(page.getByTestId('health')).toHaveText(/1/);
    },
  },
  {
    name: 'map',
    show: async (page) => {
      await panel(page, 1);
      await page.getByTestId('next-leaked').click();
      await expect(page.getByTestId('place-refcount')).toBeVisible();
    },
  },
  {
    name: 'map of the disk',
    show: async (page) => {
      await page.getByText('Disk', { exact: true }).click();
      await page.getByTestId('legend-compressed').click();
      await page.getByTestId('next-of-kind').click();
    },
  },
  {
    name: 'map as a table',
    show: async (page) => {
      await page.getByText('Table', { exact: true }).click();
      await page.getByTestId('map-table').waitFor();
    },
  },
  {
    name: 'structures',
    show: async (page) => {
      await panel(page, 2);
      // The map has led elsewhere.
      await page.evaluate(() => (location.hash = '#/structure?at=0x14'));
      // Where the window is narrow, the bytes stand in its place then.
      const isNarrow = (page.viewportSize()?.width ?? 1280) < 700;
      if (isNarrow) await page.locator('label', { hasText: /^\s*Structures\s*$/ }).click();
      await page.locator('[data-node="header/cluster_bits"]').click();
      await expect(page.getByTestId('node-label')).toContainText('cluster_bits');
    },
  },
  {
    name: 'an address to go to',
    show: async (page) => {
      await page.keyboard.press('Control+g');
      await page.getByTestId('goto-address').fill('1T');
    },
  },
  {
    name: 'bytes',
    show: async (page) => {
      await page.keyboard.press('Escape');
      // Where the window is narrow, they are behind the other choice.
      await page.evaluate(() => (location.hash = '#/structure?at=0x6000'));
      await page.getByText('Find', { exact: true }).click();
      await page.getByTestId('find-text').fill('VERSION');
      await page.getByTestId('find-start').click();
      await page.getByTestId('match').first().waitFor();
    },
  },
  {
    name: 'check',
    show: async (page) => {
      await panel(page, 3);
      await expect(page.getByTestId('check-verdict')).toBeVisible();
    },
  },
  {
    name: 'diagnosis',
    show: async (page) => {
      await panel(page, 4);
      await page.getByTestId('diagnosis-verdict').waitFor();
      await page.getByTestId('diagnosis-finding').evaluateAll((findings) => {
        for (const finding of findings) finding.setAttribute('open', '');
      });
    },
  },
  {
    name: 'compacting',
    show: async (page) => {
      await page.getByTestId('ask-compact').click();
      await page.getByTestId('compact-start').waitFor();
    },
  },
  {
    name: 'who takes it',
    show: async (page) => {
      await panel(page, 0);
      await page.getByTestId('all-destinations').click();
    },
  },
  {
    name: 'convert for a destination',
    show: async (page) => {
      await page.locator('[data-destination=hyper-v]').getByTestId('convert-for').click();
      await expect(page.getByTestId('convert-after')).toHaveCount(2);
    },
  },
  {
    name: 'convert',
    show: async (page) => {
      await page.getByTestId('convert-goal').getByText('A file format').click();
      await page.getByTestId('format-qcow2').check({ force: true });
      await page.getByTestId('option-compression').selectOption('zstd');
      await page.getByTestId('format-raw').check({ force: true });
    },
  },
  {
    name: 'converted',
    show: async (page) => {
      await page.getByTestId('where-browser').check();
      await page.getByTestId('convert-start').click();
      await page.getByTestId('convert-done').waitFor();
    },
  },
  { name: 'checksum, empty', show: (page) => panel(page, 8) },
  {
    name: 'checksum',
    show: async (page) => {
      await page.getByTestId('checksum-published').fill('a'.repeat(64));
      await page.getByTestId('checksum-file').click();
      await page.getByTestId('checksum-verdict').waitFor();
      await page.getByTestId('checksum-content').click();
      await page.getByTestId('digest-content').waitFor();
    },
  },
  { name: 'console, empty', show: (page) => panel(page, 9) },
  {
    name: 'console',
    show: async (page) => {
      await page.getByTestId('console-input').fill('qemu-img check sample.qcow2');
      await page.getByTestId('console-input').press('Enter');
      await expect(page.getByTestId('console-output')).toContainText('Leaked cluster');
    },
  },
  {
    name: 'changes, none',
    show: async (page) => {
      await panel(page, 7);
      await expect(page.getByTestId('no-changes')).toBeVisible();
    },
  },
  {
    name: 'the plan of a repair',
    show: async (page) => {
      await panel(page, 3);
      await page.getByTestId('plan-repair').click();
      await page.getByTestId('add-repair').waitFor();
      await page.getByTestId('repair-safe').locator('summary').click();
    },
  },
  {
    name: 'changes that wait',
    show: async (page) => {
      await page.getByTestId('add-repair').click();
      await page.getByTestId('save-form').waitFor();
    },
  },
  {
    name: 'the overview with changes',
    show: async (page) => {
      await panel(page, 0);
      await page.getByTestId('changes-tray').waitFor();
    },
  },
  {
    name: 'taking a snapshot',
    show: async (page) => {
      await panel(page, 6);
      await page.getByTestId('create-snapshot').click();
      await expect(page.getByTestId('snapshot-name')).toBeFocused();
    },
  },
  {
    name: 'deleting a snapshot',
    show: async (page) => {
      await page.keyboard.press('Escape');
      await page.getByTestId('delete-snapshot').first().click();
      await expect(page.getByTestId('would-free')).toContainText('Frees');
    },
  },
  {
    name: 'another size that cuts a partition',
    show: async (page) => {
      await page.keyboard.press('Escape');
      await panel(page, 0);
      await page.getByTestId('resize').click();
      await page.getByTestId('resize-amount').fill('5');
      await expect(page.getByTestId('resize-says')).toContainText('Partition 1');
    },
  },
  {
    name: 'closing with changes',
    show: async (page) => {
      await page.keyboard.press('Escape');
      await page.getByRole('button', { name: 'Close sample.qcow2' }).click();
      await page.getByTestId('close-discard').waitFor();
    },
  },
  {
    name: 'a patch that was made',
    show: async (page) => {
      await page.keyboard.press('Escape');
      await page.getByTestId('tray-review').click();
      await page.getByTestId('way-patch').check();
      await page.getByTestId('save-changes').click();
      await page.getByTestId('save-done').waitFor();
    },
  },
  {
    name: 'an overlay without its base',
    show: async (page) => {
      const overlay = damagedSample('overlay.qcow2', (image) => {
        image.writeBigUInt64BE(2048n, HEADER.backingOffset);
        image.writeUInt32BE(9, HEADER.backingSize);
        image.write('base.qcow', 2048, 'latin1');
      });
      await openImage(page, overlay);
      await expect(page.getByTestId('chain')).toBeVisible();
    },
  },
  {
    name: 'its conversion',
    show: async (page) => {
      await panel(page, 5);
      await expect(page.getByTestId('convert-gap')).toBeVisible();
    },
  },
  {
    name: 'a chain with everything wrong',
    show: async (page) => {
      await openImage(page, suspiciousChain());
      await page.getByTestId('chain').waitFor();
      await expect(page.locator('[data-remark=same-file]')).toBeVisible();
    },
  },
  {
    name: 'an encrypted disk',
    show: async (page) => {
      const locked = damagedSample('locked.qcow2', (image) => {
        image.writeUInt32BE(1, HEADER.cryptMethod);
      });
      await openImage(page, locked);
      await expect(page.getByTestId('locked')).toBeVisible();
    },
  },
  {
    name: 'the question for its passphrase',
    show: async (page) => {
      await page.getByTestId('unlock').click();
      await expect(page.getByTestId('passphrase')).toBeFocused();
    },
  },
  {
    name: 'snapshots and bitmaps',
    show: async (page) => {
      await page.keyboard.press('Escape');
      await openImage(page, made('kept.qcow2', keptImage().bytes));
      await page.getByTestId('bitmap-show').first().click();
      await page.getByTestId('bitmap-marked').first().waitFor();
      // What the bar covers by half is a small target to axe.
      await page.evaluate(() => scrollTo(0, 0));
    },
  },
  {
    name: 'the panel of snapshots',
    show: async (page) => {
      await panel(page, 6);
      await page.getByTestId('compare-go').click();
      await page.getByTestId('comparison').waitFor();
    },
  },
  {
    name: 'the changes that can be made',
    show: async (page) => {
      await panel(page, 7);
      await page.getByTestId('change-bitmaps').locator('summary').click();
      await page.getByTestId('bitmap-new-name').fill('tuesday');
      await page.evaluate(() => scrollTo(0, 0));
    },
  },
  {
    name: 'other options of the format',
    show: async (page) => {
      await page.getByTestId('change-options').locator('summary').click();
      await page.getByTestId('options-lazy').selectOption('on');
      await page.evaluate(() => scrollTo(0, 0));
    },
  },
  {
    name: 'the conversion of a snapshot',
    show: async (page) => {
      await panel(page, 6);
      await page.getByTestId('convert-snapshot').first().click();
      await expect(page.getByTestId('convert-which')).toBeVisible();
    },
  },
  {
    name: 'a cut-off file',
    show: async (page) => {
      await openImage(
        page,
        damagedSample('cut.qcow2', (image) => image.subarray(0, 120_000)),
      );
      await expect(page.getByTestId('truncated')).toBeVisible();
    },
  },
  {
    name: 'its check',
    show: async (page) => {
      await panel(page, 3);
      await expect(page.getByTestId('finding').first()).toBeVisible();
    },
  },
  {
    name: 'a divided disk',
    show: async (page) => {
      await openImage(page, diskFile('mbr.raw'));
      await page.getByTestId('partition').last().click();
      await expect(page.getByTestId('partition-details')).toContainText('its end is missing');
    },
  },
  {
    name: 'an error',
    show: async (page) => {
      await choose(page, made('notes.qcow2', 'notes\n'.repeat(200)));
      await page.getByTestId('error').waitFor();
    },
  },
  {
    name: 'start with lists',
    show: async (page) => {
      await page.locator('header button').first().click();
      await page.getByTestId('stored-file').first().waitFor();
    },
  },
  {
    name: 'menu',
    show: async (page) => {
      await page.getByTestId('menu').click();
    },
  },
  {
    name: 'about',
    show: async (page) => {
      await page.getByTestId('about').click();
      await page.getByRole('dialog').waitFor();
    },
  },
  { name: 'help', show: (page) => dialog(page, 'help') },
  { name: 'privacy', show: (page) => dialog(page, 'privacy') },
  {
    name: 'settings',
    show: async (page) => {
      await page.keyboard.press('Escape');
      await page.getByTestId('menu').click();
      await page.getByTestId('settings').click();
      await page.getByTestId('setting-ask').waitFor();
    },
  },
  {
    name: 'palette',
    show: async (page) => {
      await page.keyboard.press('Escape');
      await page.keyboard.press('Control+k');
      await page.getByTestId('palette-input').fill('o');
      await page.getByRole('option').first().waitFor();
    },
  },
];

async function panel(page: Page, index: number): Promise<void> {
  await page.getByRole('tab').nth(index).click();
}

async function dialog(page: Page, button: string): Promise<void> {
  await page.keyboard.press('Escape');
  await page.getByTestId(button).click();
  await page.getByRole('dialog').waitFor();
}
