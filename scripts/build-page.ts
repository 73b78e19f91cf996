/**
 * Builds the monitor's page, `src/dashboard`, with Vite. With a folder, into that; without one, into a cache below node_modules that is named for the sources,
 * unless it is there already; prints the folder.
 *
 *     node scripts/build-page.ts [folder]
 */
import { createHash } from 'node:crypto'
import { existsSync, globSync, mkdtempSync, readFileSync, renameSync, rmSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const sources = join(root, 'src', 'dashboard')
const modules = join(root, 'node_modules')

/** What the page imports of other folders, other than types: what design.md lets it. */
const shared = ['seams/browser.ts', 'lag/sentences.ts'].map((one) => join(root, 'src', one))

/** Of all that the page is made of: its sources, this file, and the exact versions of what is built in. */
function nameOfSources(): string {
  const hash = createHash('sha256')
  const files = globSync('**/*.*', { cwd: sources }).sort()
  for (const file of [...files.map((one) => join(sources, one)), ...shared, fileURLToPath(import.meta.url)])
    hash.update(`${file}\n`).update(readFileSync(file))
  hash.update(readFileSync(join(root, 'package.json')))
  return hash.digest('hex').slice(0, 16)
}

async function buildInto(folder: string): Promise<void> {
  const { build } = await import('vite')
  await build({
    configFile: false,
    root: sources,
    base: './',
    logLevel: 'warn',
    publicDir: false,
    oxc: { jsx: { runtime: 'automatic', importSource: 'preact' } },
    build: {
      outDir: folder,
      emptyOutDir: true,
      target: 'es2023',
      // Only what `style-src 'self'` allows: no style in the page, no data: address.
      assetsInlineLimit: 0,
      modulePreload: { polyfill: false },
    },
  })
}

/** Several processes may begin at once: each builds on its own, and the first gives the folder its name. */
async function buildCached(): Promise<string> {
  const cache = join(modules, '.cache', 'sluice-page')
  const folder = join(cache, nameOfSources())
  if (existsSync(folder)) return folder
  const { mkdirSync } = await import('node:fs')
  mkdirSync(cache, { recursive: true })
  const making = mkdtempSync(join(cache, 'making-'))
  try {
    await buildInto(making)
    renameSync(making, folder)
  } catch (error) {
    rmSync(making, { recursive: true, force: true })
    if (!existsSync(folder)) throw error
  }
  return folder
}

const [given] = process.argv.slice(2)
if (given === undefined) process.stdout.write(`${await buildCached()}\n`)
else await buildInto(given)
