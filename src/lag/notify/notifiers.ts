/**
 * Everybody who is told of what the monitor finds. Each has an outbox of its own, so that one that is down delays neither another nor the judging. What
 * was told is in the store: a restart neither repeats an alert nor forgets to close it.
 */
import type { Clock } from '../../seams/clock.ts'
import type { Logger } from '../../seams/logger.ts'
import type { Random } from '../../seams/random.ts'
import type { ClusterMonitor, Sampled } from '../cluster-monitor.ts'
import type { Monitor } from '../monitor.ts'
import { groupSummary } from '../views.ts'
import { type Alert, AlertBook, type Told } from './alert-book.ts'
import { influxLines, type Watched, sendToInflux, StatsdSocket, statsdLines } from './figures.ts'
import { emailSender, type Sender, slackSender, webhookSender } from './messages.ts'
import { type NotifierConf, tellsPersons } from './notifier-conf.ts'
import { Outbox } from './outbox.ts'
import { type Places, placesOf } from './template.ts'

export interface NotifierSeams {
  readonly clock: Clock
  readonly logger: Logger
  readonly random: Random
}

interface Notifier {
  readonly name: string
  sampled(cluster: ClusterMonitor, sampled: Sampled): void
  readonly outbox: Outbox<any>
  close(): void
}

interface Message {
  readonly key: string
  readonly told: Told
  readonly alert: Alert
  readonly places: Places
}

const KIND = 'alert'

export class Notifiers {
  readonly #all: readonly Notifier[]
  readonly #ends: () => void

  constructor(confs: readonly NotifierConf[], monitor: Monitor, seams: NotifierSeams) {
    this.#all = confs.map((conf) =>
      tellsPersons(conf.type) ? alertNotifier(conf, monitor, seams) : figureNotifier(conf, seams),
    )
    this.#ends = monitor.onSample((cluster, sampled) => {
      for (const notifier of this.#all) notifier.sampled(cluster, sampled)
    })
  }

  /** By name: what was delivered, what was lost, and why not. */
  get states(): readonly { name: string; sent: number; lost: number; problem: string | undefined }[] {
    return this.#all.map(({ name, outbox: { sent, lost, problem } }) => ({ name, sent, lost, problem }))
  }

  /** Resolves when nothing waits. */
  async idle(): Promise<void> {
    await Promise.all(this.#all.map(({ outbox }) => outbox.idle()))
  }

  async close(): Promise<void> {
    this.#ends()
    await Promise.all(this.#all.map(({ outbox }) => outbox.close()))
    for (const notifier of this.#all) notifier.close()
  }
}

/** Whether a notifier cares for a group. */
function wantsOf({ settings }: NotifierConf): (cluster: string, group: string) => boolean {
  const clusters = settings['clusters'] as string[] | undefined
  const wholeName = (text: string | undefined) => (text === undefined ? undefined : new RegExp(`^(?:${text})$`, 'u'))
  const [allow, deny] = [wholeName(settings['groups.allow']), wholeName(settings['groups.deny'])]
  return (cluster, group) =>
    (clusters?.includes(cluster) ?? true) && (allow?.test(group) ?? true) && !(deny?.test(group) ?? false)
}

function alertNotifier(conf: NotifierConf, monitor: Monitor, seams: NotifierSeams): Notifier {
  const { name, settings } = conf
  const { store } = monitor
  const wants = wantsOf(conf)
  const { send, close } = senderOf(conf)
  const most = { name, most: 1000, timeoutMs: settings['timeout.ms'], attempts: 5, backoffMs: 1000 }
  const book = new AlertBook(
    {
      threshold: settings['threshold'],
      intervalMs: settings['interval.ms'],
      sendOnce: settings['send.once'],
      sendClose: settings['send.close'],
    },
    (store?.kept(KIND, name) ?? []).map((row) => [row.name, JSON.parse(row.data) as Alert] as const),
  )
  const remember = (now: number, key: string) => {
    const alert = book.get(key)
    store?.writing(() =>
      alert ? store.keep(KIND, name, key, now, JSON.stringify(alert)) : store.drop(KIND, name, key),
    )
  }
  const onLost = ({ key, told, alert }: Message) => {
    book.undo(key, told, alert)
    remember(seams.clock.now(), key)
  }
  const outbox = new Outbox<Message>(({ places }, signal) => send(places, signal), most, seams, onLost)
  return {
    name,
    outbox,
    close,
    sampled(cluster, { at, gone }) {
      for (const group of gone) {
        const key = `${cluster.name}\n${group}`
        if (book.forget(key)) remember(at, key)
      }
      // What is not known anew says nothing.
      if (cluster.condition !== 'ok') return
      for (const group of cluster.state.groups.values()) {
        if (!wants(cluster.name, group.groupId)) continue
        const key = `${cluster.name}\n${group.groupId}`
        const hadAlert = book.get(key) !== undefined
        const found = book.consider(at, key, group.status, () => seams.random.uuid())
        if (found)
          outbox.put({ key, ...found, places: placesOf(found.told, found.alert, groupSummary(cluster, group)) })
        if (found || hadAlert !== (book.get(key) !== undefined)) remember(at, key)
      }
    },
  }
}

function senderOf({ type, settings }: NotifierConf): { send: Sender; close: () => void } {
  const nothing = () => {}
  const { url, channel, template, method, headers } = settings
  const closeTemplate = settings['template.close'] ?? template
  if (type === 'webhook')
    return { send: webhookSender({ url, method, headers, template, closeTemplate }), close: nothing }
  if (type === 'slack') return { send: slackSender({ url, channel, template, closeTemplate }), close: nothing }
  const { host, port, tls, user, password, from, to, subject } = settings
  return emailSender(
    { host, port, tls, user, password, from, to, subject, template, closeTemplate },
    settings['timeout.ms'],
  )
}

function figureNotifier(conf: NotifierConf, seams: NotifierSeams): Notifier {
  const { name, type, settings } = conf
  const clusters = settings['clusters'] as string[] | undefined
  const socket = type === 'statsd' ? new StatsdSocket(settings['host'], settings['port']) : undefined
  const { url, headers, prefix, format } = settings
  // Of figures only the newest are worth sending.
  const most = { name, most: 2, timeoutMs: settings['timeout.ms'], attempts: 1, backoffMs: 0 }
  const send = (lines: readonly string[], signal: AbortSignal) =>
    socket ? socket.send(lines) : sendToInflux({ url, headers }, lines, signal)
  const outbox = new Outbox<readonly string[]>(send, most, seams)
  const wanted = onlyWanted(conf)
  return {
    name,
    outbox,
    close: () => socket?.close(),
    sampled(cluster, { at }) {
      if (cluster.condition !== 'ok' || !(clusters?.includes(cluster.name) ?? true)) return
      const watched = wanted(cluster)
      outbox.put(
        type === 'statsd'
          ? statsdLines(watched, { prefix, dogStatsd: format === 'dogstatsd' })
          : influxLines(watched, at),
      )
    },
  }
}

/** The cluster with only the groups that a notifier cares for. */
function onlyWanted(conf: NotifierConf): (cluster: ClusterMonitor) => Watched {
  if (conf.settings['groups.allow'] === undefined && conf.settings['groups.deny'] === undefined)
    return (cluster) => cluster
  const wants = wantsOf(conf)
  return ({ name, state }) => {
    const groups = new Map([...state.groups].filter(([groupId]) => wants(name, groupId)))
    return { name, state: { groups, topics: state.topics } }
  }
}
