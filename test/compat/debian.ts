/** Foreign programs that Debian has: those that a test runs are installed with apt-get where they are missing. */
import { spawnSync } from 'node:child_process'

export interface DebianProgram {
  /** As it is called in the error. */
  readonly name: string
  readonly packages: readonly string[]
  readonly isThere: () => boolean
  /** Whether what apt-get says is shown. Default: it is not. */
  readonly isShown?: boolean
}

/** @throws Error if the program is not there afterwards: without apt-get, without the right to install, without a mirror that has it */
export function ensureInstalled({ name, packages, isThere, isShown = false }: DebianProgram): void {
  if (isThere()) return
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' }
  let cause: Error | undefined
  for (const args of [
    ['update', '-qq'],
    ['install', '-y', '-qq', '--no-install-recommends', ...packages],
  ]) {
    const { error, status } = spawnSync('apt-get', args, { stdio: isShown ? 'inherit' : 'ignore', env })
    cause = error ?? (status === 0 ? undefined : new Error(`apt-get ${args.join(' ')} ends with ${status}`))
  }
  if (isThere()) return
  const install = `apt-get install ${packages.join(' ')}`
  throw new Error(`${name} is missing and could not be installed: ${install}, then run this again`, { cause })
}
