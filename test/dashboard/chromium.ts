/** Chromium itself, from Debian: fetched with apt-get where it is missing, driven by Playwright's core, closed when the test ends. */
import assert from 'node:assert/strict'
import { existsSync, mkdirSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { type Browser, type BrowserContextOptions, chromium, type Page } from 'playwright-core'
import { ensureInstalled } from '../compat/debian.ts'
import { root } from '../e2e/sluice-process.ts'

const PROGRAM = '/usr/bin/chromium'
/** A slow machine may take this long for anything that is waited for. */
const PATIENCE_MS = 60_000

export async function startChromium(): Promise<Browser> {
  ensureInstalled({
    name: 'Chromium',
    packages: ['chromium', 'fonts-noto-cjk'],
    isThere: () => existsSync(PROGRAM),
  })
  // Tests run as root in containers, where the sandbox cannot; the page is our own.
  return chromium.launch({ executablePath: PROGRAM, args: ['--no-sandbox', '--disable-dev-shm-usage'] })
}

export interface OpenedPage {
  readonly page: Page
  /** What the browser complained of: errors of scripts, refusals of the Content-Security-Policy, failed requests. */
  readonly complaints: string[]
  /** Hosts that were asked for anything. */
  readonly hosts: ReadonlySet<string>
}

export async function openPage(
  t: TestContext,
  browser: Browser,
  url: string,
  options: BrowserContextOptions = {},
): Promise<OpenedPage> {
  const context = await browser.newContext({ locale: 'en-US', viewport: { width: 1280, height: 900 }, ...options })
  t.after(() => context.close())
  context.setDefaultTimeout(PATIENCE_MS)
  const page = await context.newPage()
  const complaints: string[] = []
  const hosts = new Set<string>()
  page.on('console', (message) => {
    if (message.type() === 'error' || message.type() === 'warning') complaints.push(message.text())
  })
  page.on('pageerror', (error) => complaints.push(String(error)))
  page.on('request', (request) => hosts.add(new URL(request.url()).host))
  await page.goto(url)
  return { page, complaints, hosts }
}

const axeSource = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')

/** Fails with every violation of WCAG 2 (A and AA) and of axe's best practices in what is shown. */
export async function assertAccessible(page: Page, what: string): Promise<void> {
  await page.evaluate(axeSource)
  const violations = (await page.evaluate(
    `axe.run(document, { resultTypes: ['violations'] }).then(({ violations }) => violations.map(({ id, help, nodes }) => ({ id, help, nodes: nodes.slice(0, 5).map(({ html, failureSummary }) => html.slice(0, 200) + ' ' + failureSummary) })))`,
  )) as object[]
  assert.deepEqual(violations, [], `${what} has flaws of accessibility`)
}

/** Whether anything is wider than the window: a phone would have to scroll sideways. */
export async function assertFits(page: Page, what: string): Promise<void> {
  const [scroll, client] = (await page.evaluate(
    '[document.documentElement.scrollWidth, document.documentElement.clientWidth]',
  )) as [number, number]
  assert.ok(scroll <= client, `${what} is ${scroll} pixels wide in a window of ${client}`)
}

/** Into the folder that SLUICE_SCREENSHOTS names, for those who want to look; nowhere otherwise. */
export async function screenshot(page: Page, name: string): Promise<void> {
  const folder = process.env['SLUICE_SCREENSHOTS']
  if (folder === undefined) return
  mkdirSync(folder, { recursive: true })
  await page.screenshot({ path: join(root, folder, `${name}.png`), fullPage: true })
}
