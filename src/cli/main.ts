/**
 * Where the command line begins. Answers `--version` by itself, as scripts ask for it often and nothing else need be
 * loaded for it; everything else is program.ts.
 */
import { readFileSync } from 'node:fs'

const args = process.argv.slice(2)
const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as {
  version: string
}

if (args.length === 1 && (args[0] === '--version' || args[0] === '-V')) {
  process.stdout.write(`${version}\n`)
} else {
  const { runCommandLine } = await import('./program.ts')
  process.exitCode = await runCommandLine(args, version)
}
