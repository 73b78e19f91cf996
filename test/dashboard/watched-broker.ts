/** A monitor as `sluice monitor` starts it, over the embedded broker or another cluster, with what the page's tests look at: groups that are well, behind, stopped, named oddly. */
import type { ServerResponse } from 'node:http'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { systemSeams } from '../../src/client/index.ts'
import type { GroupDetail, Overview } from '../../src/lag/api-types.ts'
import { checkMonitorConf } from '../../src/lag/monitor-conf.ts'
import { type RunningMonitor, startMonitor, type StartMonitorOptions } from '../../src/lag/start-monitor.ts'
import { systemDisk } from '../../src/seams/disk.ts'
import { silentLogger } from '../../src/seams/logger.ts'
import { startBroker, type TestBroker } from '../../src/testing/index.ts'
import { type Bench, benchOf } from '../lag/embedded.ts'
import { temporaryDirectory } from '../support/temporary-directory.ts'
import { until } from '../support/until.ts'

export interface WatchedCluster extends Bench {
  /** Ends the monitor, and starts it again on the same address and store. */
  stopMonitor(): Promise<void>
  restartMonitor(): Promise<void>
  readonly url: string
  /** Event streams that are open now, of all pages. */
  openStreams(): number
  overview(): Promise<Overview>
  group(name: string): Promise<GroupDetail>
  /** Waits until the monitor has seen so much of a group. */
  seen(name: string, is: (detail: GroupDetail) => boolean, what: string): Promise<void>
  commit(group: string, topic: string, offsets: readonly number[]): Promise<void>
}

export interface WatchedBroker extends WatchedCluster {
  readonly broker: TestBroker
}

/** What is watched; stopped when the test ends. */
export type Cluster = Pick<TestBroker, 'bootstrapServers' | 'stop'>

export const CLUSTER = 'local'
export const TOKEN = 'a-token-for-tests'
export const KOREAN_GROUP = '주문 소비자/1 <b>&amp;'

export interface WatchOptions {
  readonly allowChanges?: boolean
  readonly store?: 'none'
  readonly more?: Record<string, unknown>
  readonly clusters?: Record<string, unknown>
}

export async function watchBroker(
  t: TestContext,
  { topics, ...options }: WatchOptions & { readonly topics: Record<string, number> },
): Promise<WatchedBroker> {
  const broker = await startBroker({ topics })
  return { ...(await watchCluster(t, broker, options)), broker }
}

export async function watchCluster(
  t: TestContext,
  cluster: Cluster,
  options: WatchOptions = {},
): Promise<WatchedCluster> {
  const bench = benchOf(t, cluster.bootstrapServers)
  let running: RunningMonitor | undefined
  const stopMonitor = async () => {
    await running?.stop()
    running = undefined
  }
  // Clients first, then the monitor, then the cluster: `benchOf` stops in the opposite order.
  t.after(async () => {
    await stopMonitor()
    await cluster.stop()
  })
  const directory = await temporaryDirectory(t)
  const conf = checkMonitorConf(
    {
      listen: '127.0.0.1:0',
      store: options.store ?? join(directory, 'lag.db'),
      'history.interval.ms': 1000,
      ...(options.allowChanges ? { 'allow.changes': true, token: TOKEN } : {}),
      clusters: {
        [CLUSTER]: {
          'bootstrap.servers': cluster.bootstrapServers,
          'sample.interval.ms': 250,
          'members.interval.ms': 1000,
          ...options.more,
        },
        ...options.clusters,
      },
    },
    'the test',
  )
  const seams = systemSeams({ logger: silentLogger })
  const streams = new Set<ServerResponse>()
  const opening: StartMonitorOptions = {
    seams,
    disk: systemDisk,
    version: '1.2.3',
    extend({ server }) {
      server.on('request', ({ url }, response) => {
        if (!url?.startsWith('/api/v1/events')) return
        streams.add(response)
        response.on('close', () => streams.delete(response))
      })
    },
  }
  running = await startMonitor(conf, opening)
  const { url } = running
  const json = async <T>(path: string) => (await (await fetch(`${url}${path}`)).json()) as T
  const watched: WatchedCluster = {
    ...bench,
    url,
    openStreams: () => streams.size,
    stopMonitor,
    async restartMonitor() {
      running = await startMonitor({ ...conf, port: Number(new URL(url).port) }, opening)
    },
    overview: () => json<Overview>('/api/v1/overview'),
    group: (name) => json<GroupDetail>(`/api/v1/clusters/${CLUSTER}/groups/${encodeURIComponent(name)}`),
    seen: (name, is, what) =>
      until(
        async () => {
          const detail = await watched.group(name)
          return 'group' in detail && is(detail)
        },
        { withinMs: 60_000, everyMs: 50, what },
      ),
    commit: (group, topic, offsets) =>
      bench.admin.alterGroupOffsets(
        group,
        offsets.map((offset, partition) => [{ topic, partition }, { offset }] as const),
      ),
  }
  return watched
}

/** Groups in every state, the same in every run: two that stopped, one that has read all, one with every kind of character in its name. */
export async function fill(watched: WatchedBroker): Promise<void> {
  for (const partition of [0, 1, 2]) await watched.produce('orders', partition, 200)
  await watched.produce('clicks', 0, 50)
  await watched.commit('billing', 'orders', [200, 200, 200])
  await watched.commit('shipping', 'orders', [20, 150, 200])
  await watched.commit('search-indexer', 'clicks', [10])
  await watched.commit(KOREAN_GROUP, 'clicks', [50])
  await watched.seen('shipping', ({ status }) => status === 'ERROR', 'shipping is judged')
  await watched.seen('billing', ({ status }) => status === 'OK', 'billing is judged')
}
