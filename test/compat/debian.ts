/** Foreign programs that Debian has: those that a test runs are installed with apt-get where they are missing. */
import { spawnSync } from 'node:child_process'
import { existsSync, rmSync, writeFileSync } from 'node:fs'

export interface DebianProgram {
  /** As it is called in the error. */
  readonly name: string
  readonly packages: readonly string[]
  readonly isThere: () => boolean
  /** Whether what apt-get says is shown. Default: it is not. */
  readonly isShown?: boolean
  /** A server that its package would start: it is not to. */
  readonly isService?: boolean
}

/** What Debian's packages ask before they start a service. */
const POLICY = '/usr/sbin/policy-rc.d'

/** @throws Error if the program is not there afterwards: without apt-get, without the right to install, without a mirror that has it */
export function ensureInstalled(program: DebianProgram): void {
  if (program.isThere()) return
  if (!program.isService || existsSync(POLICY)) return install(program)
  writeFileSync(POLICY, '#!/bin/sh\nexit 101\n', { mode: 0o755 })
  try {
    install(program)
  } finally {
    rmSync(POLICY)
  }
}

function install({ name, packages, isThere, isShown = false }: DebianProgram): void {
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
  const command = `apt-get install ${packages.join(' ')}`
  throw new Error(`${name} is missing and could not be installed: ${command}, then run this again`, { cause })
}
