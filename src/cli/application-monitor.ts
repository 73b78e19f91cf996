/**
 * The lag monitor that `sluice run --monitor` and the demo start beside their groups: in a thread of its own, watching those groups and no others, so that
 * it needs no rights that the applications do not have.
 */
import type { ApplicationConf } from '../app/conf.ts'
import { adminProperties, type PropertyBag } from '../client/index.ts'
import { checkMonitorConf, type MonitorConf } from '../lag/monitor-conf.ts'
import type { HttpAddress } from './http-address.ts'
import { literally } from './literal-pattern.ts'

export interface ApplicationMonitorSettings {
  readonly address: HttpAddress
  /** File of windows and history, or `:memory:`. */
  readonly store: string
  /** Settings for every cluster beside those of the defaults, under the names of monitor.yaml. */
  readonly cluster?: Readonly<Record<string, unknown>>
}

type Watched = Pick<ApplicationConf, 'groupId' | 'properties'>

/** How the monitor speaks to a cluster is its own affair; where it is, and as whom, is the application's. */
const ownProperties = new Set(['client.id', 'request.timeout.ms', 'default.api.timeout.ms', 'retries'])

/** One cluster is called `default`; several have the names of their servers. @throws MonitorConfError */
export function applicationMonitorConf(
  applications: readonly Watched[],
  { address: { host, port }, store, cluster: more = {} }: ApplicationMonitorSettings,
): MonitorConf {
  const byAccess = new Map<string, { properties: PropertyBag; watched: Watched[] }>()
  for (const application of applications) {
    const properties = accessOf(application.properties)
    const key = JSON.stringify(properties, Object.keys(properties).sort())
    const found = byAccess.get(key)
    if (found) found.watched.push(application)
    else byAccess.set(key, { properties, watched: [application] })
  }
  const clusters: Record<string, unknown> = {}
  for (const { properties, watched } of byAccess.values()) {
    const name = byAccess.size === 1 ? 'default' : freeName(String(properties['bootstrap.servers']), clusters)
    clusters[name] = { ...properties, ...more, ...groupsOf(watched) }
  }
  const listen = host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
  return checkMonitorConf({ listen, store, clusters }, 'what --monitor makes of the conf')
}

function accessOf(properties: PropertyBag): PropertyBag {
  const names = Object.keys(properties).filter((name) => Object.hasOwn(adminProperties, name))
  return Object.fromEntries(names.filter((name) => !ownProperties.has(name)).map((name) => [name, properties[name]!]))
}

/** Who reads committed records only, has no lag beyond the last stable offset. */
function groupsOf(watched: readonly Watched[]): object {
  return {
    'groups.allow': watched.map(({ groupId }) => literally(groupId)).join('|'),
    groups: watched
      .filter(({ properties }) => properties['isolation.level'] === 'read_committed')
      .map(({ groupId }) => ({ pattern: literally(groupId), 'isolation.level': 'read_committed' })),
  }
}

/** The same servers, reached as somebody else, are a cluster of their own to the monitor. */
function freeName(servers: string, taken: object): string {
  let name = servers
  for (let number = 2; Object.hasOwn(taken, name); number++) name = `${servers} (${number})`
  return name
}
