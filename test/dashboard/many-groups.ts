/** A monitor of very many groups that all move with each sample: a cluster that is only simulated, served as a real one is. */
import { startMonitorServer } from '../../src/lag/http/server.ts'
import { Monitor } from '../../src/lag/monitor.ts'
import { systemClock } from '../../src/seams/clock.ts'
import { systemDisk } from '../../src/seams/disk.ts'
import { silentLogger } from '../../src/seams/logger.ts'
import { SimulatedCluster, type SimulatedGroup, START } from '../lag/simulated-cluster.ts'

export interface ManyGroups {
  readonly url: string
  /** Records are written, groups commit, a sample is taken and told. */
  tick(): Promise<void>
  stop(): Promise<void>
}

const TOPICS = 20
const WRITTEN = 10

export const groupName = (index: number) => `group-${String(index).padStart(4, '0')}`

export async function serveManyGroups(groups: number, partitions: number): Promise<ManyGroups> {
  const cluster = new SimulatedCluster()
  cluster.clock.jump(Date.now() - START)
  for (let topic = 0; topic < TOPICS; topic++)
    cluster.topic(
      `topic-${topic}`,
      Array.from({ length: partitions }, () => 100),
    )
  const all = Array.from({ length: groups }, (_, index) => cluster.group(groupName(index)))
  const watched = cluster.watch({ maxPairs: groups * partitions })
  const monitor = new Monitor({
    clusters: [watched.monitor],
    version: '1.2.3',
    store: undefined,
    clock: systemClock,
    logger: silentLogger,
  })
  let turn = 0
  const commit = (group: SimulatedGroup, index: number) => {
    const { logs } = cluster.topics.get(`topic-${index % TOPICS}`)!
    // A tenth does not commit any more; the others are some records behind, other ones each time.
    if (index % 10 === 0 && turn > 1) return
    for (const [partition, { end }] of logs.entries())
      group.commit(`topic-${index % TOPICS}`, partition, end! - ((index + turn + partition) % 7))
  }
  const tick = async () => {
    turn++
    for (const { logs } of cluster.topics.values()) for (const log of logs) log.end! += WRITTEN
    for (const [index, group] of all.entries()) commit(group, index)
    watched.monitor.publish(await watched.tick())
  }
  await tick()
  const server = await startMonitorServer(monitor, {
    host: '127.0.0.1',
    port: 0,
    logger: silentLogger,
    disk: systemDisk,
    token: undefined,
  })
  return {
    url: server.url,
    tick,
    async stop() {
      await server.close()
      await monitor.stop()
    },
  }
}
