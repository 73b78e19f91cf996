/** Writes docs/supported-apis.md from the broker's table of handlers. `--check` only says whether the file is current. */
import { readFile, writeFile } from 'node:fs/promises'
import { supportedApisPage } from '../src/broker/supported-apis.ts'

const file = new URL('../docs/supported-apis.md', import.meta.url)
const page = supportedApisPage()

if (!process.argv.includes('--check')) {
  await writeFile(file, page)
} else if ((await readFile(file, 'utf8')) !== page) {
  process.stderr.write('docs/supported-apis.md is not what the handlers say: run node scripts/supported-apis.ts\n')
  process.exitCode = 1
}
