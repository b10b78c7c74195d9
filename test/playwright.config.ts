import { defineConfig, devices } from '@playwright/test';
import { chromiumOptions } from './chromium.ts';

// The config is read again in each worker process, which gets the environment of the first.
process.env['E2E_PORT'] ??= String(20_000 + Math.floor(Math.random() * 20_000));
const port = process.env['E2E_PORT'];
const inCi = process.env['CI'] !== undefined && process.env['CI'] !== '';

/** Tests of the built app (dist/app), served below a path as a plain static host would. */
export default defineConfig({
  testDir: './e2e',
  outputDir: '../test-results/e2e',
  // Each has a browser of its own: two on the two cores of the machines that run this.
  workers: 2,
  forbidOnly: inCi,
  timeout: 60_000,
  expect: { timeout: 10_000 },
  reporter: [['list']],
  use: {
    baseURL: `http://localhost:${port}/workbench/`,
    launchOptions: await chromiumOptions(),
    // What does not appear is not waited for until the test's time is up.
    actionTimeout: 20_000,
    // A trace of every test would take as long again as all of them.
    trace: process.env['E2E_TRACE'] === undefined ? 'off' : 'retain-on-failure',
    locale: 'en-US',
  },
  projects: [{ name: 'chromium', use: { ...devices['Desktop Chrome'] } }],
  webServer: {
    command: `node scripts/start.mjs --no-build --port ${port} --base /workbench/`,
    cwd: '..',
    url: `http://localhost:${port}/workbench/`,
    reuseExistingServer: false,
  },
});
