/** From a configuration to a monitor that runs and answers. What cannot be had (store, address) is said before anything is watched. */
import type { FastifyInstance } from 'fastify'
import type { ClientSeams } from '../client/index.ts'
import type { Disk } from '../seams/disk.ts'
import type { BurrowApiSettings } from './http/burrow-api.ts'
import { type MonitorServer, startMonitorServer } from './http/server.ts'
import { Monitor } from './monitor.ts'
import type { MonitorConf } from './monitor-conf.ts'
import { Notifiers } from './notify/notifiers.ts'
import { openCluster } from './open-cluster.ts'
import { Store } from './store.ts'

export interface StartMonitorOptions {
  readonly seams: ClientSeams
  readonly disk: Disk
  readonly version: string
  readonly logLevel?: BurrowApiSettings['logLevel']
  /** Whoever serves more on the same address, the page for one. */
  readonly extend?: ((server: FastifyInstance, monitor: Monitor) => void | Promise<void>) | undefined
}

export interface RunningMonitor {
  readonly monitor: Monitor
  readonly url: string
  /** Stops answering, then watching, then closes the store. */
  stop(): Promise<void>
}

/** @throws StoreInUseError, MonitorAddressError, ConfigError */
export async function startMonitor(conf: MonitorConf, options: StartMonitorOptions): Promise<RunningMonitor> {
  const { seams, disk, version, logLevel, extend } = options
  const { clock, logger } = seams
  const clusters = conf.clusters.map((cluster) => openCluster(cluster, seams))
  let store: Store | undefined
  try {
    store = conf.store && (await Store.open(conf.store, { disk, logger }))
  } catch (error) {
    await Promise.all(clusters.map((cluster) => cluster.stop()))
    throw error
  }
  const monitor = new Monitor({ clusters, version, store, clock, logger })
  let server: MonitorServer
  try {
    server = await startMonitorServer(monitor, {
      host: conf.host,
      port: conf.port,
      logger,
      disk,
      token: conf.allowChanges ? conf.token : undefined,
      allowOrigin: conf.allowOrigin,
      logLevel,
      metrics: conf.metrics,
      extend: extend && ((one) => extend(one, monitor)),
    })
  } catch (error) {
    await monitor.stop()
    throw error
  }
  const notifiers = new Notifiers(conf.notifiers, monitor, seams)
  monitor.start()
  return {
    monitor,
    url: server.url,
    async stop() {
      await server.close()
      await notifiers.close()
      await monitor.stop()
    },
  }
}
