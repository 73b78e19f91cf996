/**
 * The commands of `sluice`, each in its own file under commands/. A command file declares its options and, when it is run,
 * loads what it needs: asking for help loads no client and no broker.
 */
import { Command, CommanderError } from 'commander'
import { systemClock } from '../seams/clock.ts'
import { brokerCommand } from './commands/broker.ts'
import { consumeCommand } from './commands/consume.ts'
import { demoCommand } from './commands/demo.ts'
import { groupsCommand } from './commands/groups.ts'
import { labCommand } from './commands/lab.ts'
import { lagCommand } from './commands/lag.ts'
import { monitorCommand } from './commands/monitor.ts'
import { produceCommand } from './commands/produce.ts'
import { runCommand } from './commands/run.ts'
import { topicsCommand } from './commands/topics.ts'
import { describeError, USAGE } from './exit.ts'

const examples = `
Examples:
  sluice demo                                          see it work, with a broker of its own
  sluice run consumer.conf                             records from topics into stores
  sluice topics create clicks --partitions 3
  sluice produce clicks --file clicks.log
  sluice consume clicks --from-beginning --max-messages 10
  sluice groups describe --group file-consumers
  sluice lag                                           who falls behind, and why
  sluice monitor --bootstrap-server 127.0.0.1:9092     the same all day, over HTTP
`

function createProgram(version: string): Command {
  const program = new Command('sluice')
    .description('Consumer applications for Apache Kafka: records from topics into stores, none lost, none repeated.')
    .version(version, '-V, --version', 'print the version')
    .helpOption('-h, --help', 'print help')
    .addHelpText('after', examples)
    .exitOverride()
  for (const command of [
    runCommand(),
    consumeCommand(),
    produceCommand(),
    topicsCommand(),
    groupsCommand(),
    lagCommand(),
    monitorCommand(),
    brokerCommand(),
    demoCommand(),
    labCommand(),
  ]) {
    program.addCommand(command)
  }
  overrideExits(program)
  return program
}

/** Commander ends the process itself unless each command is told otherwise. */
function overrideExits(command: Command): void {
  command.exitOverride().showHelpAfterError('(--help shows how it is used)')
  for (const one of command.commands) overrideExits(one)
}

/** Runs one command line; answers the exit code. */
export async function runCommandLine(args: readonly string[], version: string): Promise<number> {
  let code = 0
  try {
    const program = createProgram(version)
    if (args.length === 0) {
      program.outputHelp({ error: true })
      return USAGE
    }
    await program.parseAsync([...args], { from: 'user' })
    // What a command found out, where it says that by its exit code (sluice lag).
    code = Number(process.exitCode ?? 0)
  } catch (error) {
    code = reportError(error)
  }
  // A command closes what it opened. Should anything still be open, the process does not hang on it.
  systemClock.setTimer(2000, () => process.exit(code), { background: true })
  return code
}

function reportError(error: unknown): number {
  // Commander has printed its own message, or the help that was asked for.
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : USAGE
  const { text, code } = describeError(error)
  process.stderr.write(`sluice: ${text}\n`)
  return code
}
