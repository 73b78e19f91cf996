/** The client's properties of a command: `--command-config`, then the command line's own; and a cluster that can be reached. */
import type { PropertyBag } from '../client/config.ts'
import type { Admin } from '../client/admin/admin.ts'
import { CommandError } from './exit.ts'
import type { ConnectionOptions } from './options.ts'

/** How long a command tries before it gives up; programs run longer, people at a terminal do not. */
const COMMAND_TIMEOUT_MS = 15_000
const DEFAULT_SERVERS = '127.0.0.1:9092'

export async function readProperties(path: string | undefined): Promise<Record<string, string>> {
  if (path === undefined) return {}
  const [{ readFile }, { parsePropertiesFile }] = await Promise.all([
    import('node:fs/promises'),
    import('./properties-file.ts'),
  ])
  const text = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    throw new CommandError(
      `cannot read ${path}: ${error.code === 'ENOENT' ? 'there is no such file' : error.message}`,
      error,
    )
  })
  return parsePropertiesFile(text)
}

/** Properties of a client of `kind`; throws within seconds, with address and cause, when no broker can be reached. */
export async function connectionProperties(
  { bootstrapServer, commandConfig }: ConnectionOptions,
  more: PropertyBag = {},
): Promise<PropertyBag> {
  const [{ reachBroker }, { systemSeams }] = await Promise.all([
    import('../app/reach.ts'),
    import('../client/seams.ts'),
  ])
  const properties: PropertyBag = {
    'client.id': 'sluice',
    'bootstrap.servers': DEFAULT_SERVERS,
    ...(await readProperties(commandConfig)),
    ...(bootstrapServer === undefined ? {} : { 'bootstrap.servers': bootstrapServer }),
    ...more,
  }
  const { transport, clock } = systemSeams()
  await reachBroker(String(properties['bootstrap.servers']).split(','), { transport, clock })
  return properties
}

/** Runs `use` with an admin client and closes it, whatever happens. */
export async function withAdmin<T>(options: ConnectionOptions, use: (admin: Admin) => Promise<T>): Promise<T> {
  const properties = await connectionProperties(options)
  const { Admin } = await import('../client/admin/admin.ts')
  const admin = new Admin({
    'default.api.timeout.ms': COMMAND_TIMEOUT_MS,
    'request.timeout.ms': COMMAND_TIMEOUT_MS,
    ...properties,
  })
  try {
    return await use(admin)
  } finally {
    await admin.close()
  }
}
