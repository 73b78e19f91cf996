/** A child process of an experiment: `child <role> <options as JSON>`. Started by lab-child.ts, and by nobody else. */
import { systemClock } from '../../seams/clock.ts'
import { ChildLink } from './child-link.ts'
import { roles, type Role } from './children/index.ts'

const [role, options] = process.argv.slice(2) as [Role, string]
const link = new ChildLink()
try {
  await (roles[role] as (link: ChildLink, options: unknown) => Promise<void>)(link, JSON.parse(options))
} catch (error) {
  process.stderr.write(`${(error as Error).stack}\n`)
  process.exitCode = 1
}
await link.finish()
// Should something still be open, the lab does not wait for it.
systemClock.setTimer(3000, () => process.exit(), { background: true })
