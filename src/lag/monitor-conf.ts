/**
 * monitor.yaml: what `sluice monitor` watches and where it answers. The whole file is checked before anything is started, and every problem is said
 * at once: where it is, what was seen, what is allowed, and the nearest name for one that nobody knows. docs/monitor-yaml.md is made of this table.
 */
import * as z from 'zod'
import { adminProperties, ConfigError, nearestName, parseAdminConfig, type PropertyBag } from '../client/index.ts'
import { SluiceError } from '../error.ts'
import { clusterDefaults, type ClusterConf, type GroupRule } from './cluster-conf.ts'
import { type NotifierConf, type NotifierType, notifierTypes, shapeOf } from './notify/notifier-conf.ts'
import { storeDefaults } from './store.ts'

export interface MonitorConfProblem {
  /** Where: `clusters.production["sample.interval.ms"]`, or empty for the whole file. */
  readonly path: string
  readonly message: string
}

/** A monitor.yaml that cannot be used. Holds every problem in it. */
export class MonitorConfError extends SluiceError {
  readonly problems: readonly MonitorConfProblem[]

  constructor(file: string, problems: readonly MonitorConfProblem[]) {
    const lines = problems.map(({ path, message }) => `  ${path === '' ? '' : `${path}: `}${message}`)
    super(
      'SLUICE_CONF',
      `${file} has ${problems.length === 1 ? 'one problem' : `${problems.length} problems`}:\n${lines.join('\n')}`,
    )
    this.problems = problems
  }
}

/** After the file has been read. Plain data. */
export interface MonitorConf {
  readonly host: string
  readonly port: number
  /** undefined: nothing is stored. */
  readonly store:
    | {
        readonly path: string
        readonly maxBytes: number
        readonly rawEveryMs: number
        readonly rawForMs: number
        readonly coarseForMs: number
      }
    | undefined
  readonly token: string | undefined
  readonly allowChanges: boolean
  readonly allowOrigin: string | undefined
  readonly metrics: MetricNames
  readonly clusters: readonly ClusterConf[]
  readonly notifiers: readonly NotifierConf[]
}

/** Whose names `/metrics` has. */
export type MetricNames = 'burrow' | 'kafka-lag-exporter' | 'both'

/** Numbers as texts are taken, too: what comes out of an environment variable is a text. */
const whole = (min: number, max = Number.MAX_SAFE_INTEGER) =>
  z.preprocess(
    (value) => (typeof value === 'string' && /^\d+$/.test(value.trim()) ? Number(value) : value),
    z.int().min(min).max(max),
  )
const flag = () => z.preprocess((value) => (value === 'true' ? true : value === 'false' ? false : value), z.boolean())
const pattern = () => z.string().refine(isPattern, { error: 'must be a regular expression that matches whole names' })

function isPattern(text: string): boolean {
  try {
    return new RegExp(`^(?:${text})$`) instanceof RegExp
  } catch {
    return false
  }
}

const isolation = () => z.enum(['read_uncommitted', 'read_committed'])

export const groupRuleShape = {
  pattern: pattern().describe(
    'Regular expression; a group’s whole name must match. The first rule that matches and says something counts.',
  ),
  'allowed.lag': whole(0).optional().describe('Records that these groups may be behind.'),
  'isolation.level': isolation().optional().describe('What these groups read.'),
} as const

/** A cluster’s settings that are no properties of Kafka’s client. */
export const clusterShape = {
  'rule.set': z
    .enum(['sluice', 'burrow'])
    .default(clusterDefaults.ruleSet)
    .describe('Whose rules judge: Sluice’s own, or exactly Burrow’s.'),
  collect: z
    .enum(['admin', 'offsets-topic', 'both'])
    .default(clusterDefaults.collectBy)
    .describe(
      'Where commits are seen: asked of brokers, read from `__consumer_offsets`, or both, each checking the other.',
    ),
  'sample.interval.ms': whole(100).default(clusterDefaults.sampleIntervalMs).describe('Between two samples.'),
  'window.samples': whole(3, 1000)
    .default(clusterDefaults.intervals)
    .describe('Samples, and commits, that a judgement looks back on.'),
  'minimum.samples': whole(3, 1000)
    .default(clusterDefaults.minimumSamples)
    .describe('With fewer, Sluice’s rules say nothing but the lag.'),
  'minimum.complete': z
    .number()
    .min(0)
    .max(1)
    .default(clusterDefaults.minimumComplete)
    .describe('Burrow’s: with less of a window filled, its rules say OK.'),
  'min.distance.ms': whole(0)
    .default(clusterDefaults.minDistanceMs)
    .describe('Burrow’s: a commit nearer to the one before takes its place.'),
  'allowed.lag': whole(0)
    .default(clusterDefaults.allowedLag)
    .describe('Records that a group may be behind and still be OK.'),
  'isolation.level': isolation()
    .default(clusterDefaults.isolation)
    .describe('What groups read: for `read_committed` the end of a log is its last stable offset.'),
  groups: z.array(z.strictObject(groupRuleShape)).default([]).describe('Rules for groups by name.'),
  'groups.allow': pattern().optional().describe('Only groups whose whole name matches are watched.'),
  'groups.deny': pattern().optional().describe('Groups whose whole name matches are not.'),
  'read.records': flag()
    .default(clusterDefaults.peek)
    .describe(
      'Whether a record is read where offsets alone do not tell a time lag, or whether there is a record at all. Takes Read on the topic.',
    ),
  'max.groups': whole(1)
    .default(clusterDefaults.maxGroups)
    .describe('Groups that are watched at most; the others are counted.'),
  'max.partitions': whole(1)
    .default(clusterDefaults.maxPairs)
    .describe('Partitions of groups that are remembered at most.'),
  'members.interval.ms': whole(1000)
    .default(clusterDefaults.describeEveryMs)
    .describe('How often the members of a group at rest are asked for.'),
  'topics.interval.ms': whole(1000)
    .default(clusterDefaults.topicsEveryMs)
    .describe('How often topics that nobody reads are looked at.'),
} as const

export const monitorShape = {
  listen: z
    .string()
    .regex(/^(?:\[[0-9a-fA-F:]+\]|[^:[\]]+):\d{1,5}$/, { error: 'must be host:port' })
    .default('127.0.0.1:8000')
    .describe('Where the monitor answers. Anybody who can reach it can read all it shows.'),
  store: z
    .string()
    .min(1)
    .default('sluice-monitor.db')
    .describe('File of windows and history. `:memory:` keeps them while the monitor runs, `none` not at all.'),
  'store.max.bytes': whole(1024 * 1024)
    .default(storeDefaults.maxBytes)
    .describe('Size that the file never grows beyond: the oldest history goes first.'),
  'history.interval.ms': whole(1000, 600_000)
    .default(storeDefaults.rawEveryMs)
    .describe('Between two points of the recent history.'),
  'history.recent.ms': whole(60_000).default(storeDefaults.rawForMs).describe('How long these are kept.'),
  'history.retention.ms': whole(600_000)
    .default(storeDefaults.coarseForMs)
    .describe('How long a point for each ten minutes is kept.'),
  token: z
    .string()
    .min(8)
    .optional()
    .describe('Whoever shows it as `Authorization: Bearer …` may change things, if changes are allowed.'),
  'allow.changes': flag()
    .default(false)
    .describe('Whether groups can be reset and deleted through the monitor at all.'),
  'access.control.allow.origin': z.string().min(1).optional().describe('This header, for pages of other origins.'),
  metrics: z
    .enum(['burrow', 'kafka-lag-exporter', 'both'])
    .default('burrow')
    .describe('Whose metric names `/metrics` has.'),
} as const

const ownClusterNames = Object.keys(clusterShape)
const clusterNames = [...ownClusterNames, ...Object.keys(adminProperties)]
const topNames = [...Object.keys(monitorShape), 'clusters', 'notifiers']

/** Checks values that have been parsed already. `file` names it in messages. @throws MonitorConfError */
export function checkMonitorConf(values: unknown, file: string): MonitorConf {
  const problems: MonitorConfProblem[] = []
  if (!isObject(values)) {
    throw new MonitorConfError(file, [
      { path: '', message: `is ${shown(values)}, and must be an object with "clusters"` },
    ])
  }
  const { clusters, notifiers, ...rest } = values
  for (const name of Object.keys(rest))
    if (!topNames.includes(name)) unknownName(problems, '', name, topNames, rest[name])
  const top = checked(z.object(monitorShape), rest, '', problems)
  const found = checkClusters(clusters, problems)
  const told = checkNotifiers(notifiers ?? {}, isObject(clusters) ? Object.keys(clusters) : [], problems)
  if (top?.['allow.changes'] && top.token === undefined) {
    problems.push({
      path: '["allow.changes"]',
      message: 'is true, and takes a "token": whoever reaches the port could delete groups',
    })
  }
  if (problems.length > 0 || !top) throw new MonitorConfError(file, problems)
  return { ...monitorOf(top), clusters: found, notifiers: told }
}

function monitorOf(top: z.output<z.ZodObject<typeof monitorShape>>): Omit<MonitorConf, 'clusters' | 'notifiers'> {
  const at = top.listen.lastIndexOf(':')
  const store = {
    path: top.store,
    maxBytes: top['store.max.bytes'],
    rawEveryMs: top['history.interval.ms'],
    rawForMs: top['history.recent.ms'],
    coarseForMs: top['history.retention.ms'],
  }
  return {
    host: top.listen.slice(0, at).replace(/^\[|\]$/g, ''),
    port: Number(top.listen.slice(at + 1)),
    store: top.store === 'none' ? undefined : store,
    token: top.token,
    allowChanges: top['allow.changes'],
    allowOrigin: top['access.control.allow.origin'],
    metrics: top.metrics,
  }
}

function checkClusters(clusters: unknown, problems: MonitorConfProblem[]): ClusterConf[] {
  if (!isObject(clusters) || Object.keys(clusters).length === 0) {
    problems.push({
      path: 'clusters',
      message: `${seen(clusters)} must name the clusters to watch: {"production": {"bootstrap.servers": "…"}}`,
    })
    return []
  }
  return Object.entries(clusters).flatMap(([name, values]) => checkCluster(name, values, problems) ?? [])
}

function checkNotifiers(
  notifiers: unknown,
  clusters: readonly string[],
  problems: MonitorConfProblem[],
): NotifierConf[] {
  if (!isObject(notifiers)) {
    problems.push({
      path: 'notifiers',
      message: `${seen(notifiers)} must be an object: {"on-call": {"type": "slack", "url": "…"}}`,
    })
    return []
  }
  return Object.entries(notifiers).flatMap(([name, values]) => checkNotifier(name, values, clusters, problems) ?? [])
}

function checkNotifier(
  name: string,
  values: unknown,
  clusters: readonly string[],
  problems: MonitorConfProblem[],
): NotifierConf | undefined {
  const path = step('notifiers', name)
  const { type, ...rest } = isObject(values) ? values : {}
  if (!notifierTypes.includes(type as NotifierType)) {
    const nearest = typeof type === 'string' ? nearestName(type, notifierTypes) : undefined
    const meant = nearest === undefined ? '' : `; did you mean "${nearest}"?`
    problems.push({
      path: step(path, 'type'),
      message: `${seen(type)} must be one of ${notifierTypes.join(', ')}${meant}`,
    })
    return undefined
  }
  const shape = shapeOf(type as NotifierType)
  const before = problems.length
  for (const key of Object.keys(rest))
    if (!Object.hasOwn(shape, key)) unknownName(problems, path, key, Object.keys(shape), rest[key])
  const settings = checked(z.object(shape), rest, path, problems)
  for (const one of (settings?.['clusters'] as string[] | undefined) ?? []) {
    if (!clusters.includes(one))
      problems.push({
        path: step(path, 'clusters'),
        message: `names ${shown(one)}, which is none of ${clusters.join(', ')}`,
      })
  }
  return problems.length > before || !settings ? undefined : { name, type: type as NotifierType, settings }
}

/** @param name how the cluster is called in the API */
export function checkCluster(name: string, values: unknown, problems: MonitorConfProblem[]): ClusterConf | undefined {
  const path = step('clusters', name)
  if (!isObject(values)) {
    problems.push({ path, message: `${seen(values)} must be an object with "bootstrap.servers"` })
    return undefined
  }
  const before = problems.length
  const own: Record<string, unknown> = {}
  const properties: Record<string, unknown> = {}
  for (const [key, value] of Object.entries(values)) {
    if (ownClusterNames.includes(key)) own[key] = value
    else if (Object.hasOwn(adminProperties, key)) properties[key] = value
    else unknownName(problems, path, key, clusterNames, value)
  }
  const settings = checked(z.object(clusterShape), own, path, problems)
  checkProperties(properties as PropertyBag, path, problems)
  if (settings && settings['minimum.samples'] > settings['window.samples']) {
    const [least, most] = [settings['minimum.samples'], settings['window.samples']]
    problems.push({
      path: step(path, 'minimum.samples'),
      message: `is ${least}, and a window has only ${most} ("window.samples")`,
    })
  }
  if (problems.length > before || !settings) return undefined
  return clusterOf(name, settings, properties as PropertyBag)
}

function clusterOf(
  name: string,
  settings: z.output<z.ZodObject<typeof clusterShape>>,
  properties: PropertyBag,
): ClusterConf {
  const wholeName = (text: string | undefined) => (text === undefined ? undefined : new RegExp(`^(?:${text})$`, 'u'))
  return {
    name,
    properties,
    ruleSet: settings['rule.set'],
    collectBy: settings.collect,
    sampleIntervalMs: settings['sample.interval.ms'],
    intervals: settings['window.samples'],
    minimumSamples: settings['minimum.samples'],
    minimumComplete: settings['minimum.complete'],
    minDistanceMs: settings['min.distance.ms'],
    allowedLag: settings['allowed.lag'],
    isolation: settings['isolation.level'],
    groupRules: settings.groups.map((rule): GroupRule => ({
      groups: wholeName(rule.pattern)!,
      allowedLag: rule['allowed.lag'],
      isolation: rule['isolation.level'],
    })),
    allow: wholeName(settings['groups.allow']),
    deny: wholeName(settings['groups.deny']),
    peek: settings['read.records'],
    maxGroups: settings['max.groups'],
    maxPairs: settings['max.partitions'],
    describeEveryMs: settings['members.interval.ms'],
    topicsEveryMs: settings['topics.interval.ms'],
  }
}

/** Kafka's own check, its messages put in their place. */
function checkProperties(properties: PropertyBag, path: string, problems: MonitorConfProblem[]): void {
  try {
    parseAdminConfig(properties)
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    for (const problem of error.problems) {
      const name = Object.keys(adminProperties).find((one) => problem.startsWith(`${one} `))
      const message = name === undefined ? problem : problem.slice(name.length + 1)
      problems.push({ path: name === undefined ? path : step(path, name), message })
    }
  }
}

function unknownName(
  problems: MonitorConfProblem[],
  path: string,
  name: string,
  known: readonly string[],
  value: unknown,
): void {
  const nearest = nearestName(name, known)
  const meant = nearest === undefined ? '' : `; did you mean "${nearest}"?`
  problems.push({ path: step(path, name), message: `is not known here${meant} (its value is ${shown(value)})` })
}

/** undefined when something is wrong, which is then among the problems. */
function checked<T extends z.ZodObject>(
  schema: T,
  values: unknown,
  path: string,
  problems: MonitorConfProblem[],
): z.output<T> | undefined {
  const result = schema.safeParse(values)
  if (result.success) return result.data
  for (const issue of result.error.issues) addProblem(issue, values, path, problems)
  return undefined
}

function addProblem(issue: z.core.$ZodIssue, values: unknown, path: string, problems: MonitorConfProblem[]): void {
  const at = issue.path.reduce<string>(
    (text, one) => (typeof one === 'number' ? `${text}[${one}]` : step(text, String(one))),
    path,
  )
  const value = issue.path.reduce<unknown>(
    (inner, one) => (inner as Record<PropertyKey, unknown> | undefined)?.[one],
    values,
  )
  if (issue.code === 'unrecognized_keys') {
    for (const key of issue.keys)
      unknownName(problems, at, key, Object.keys(groupRuleShape), (value as Record<string, unknown>)[key])
    return
  }
  problems.push({ path: at, message: `${seen(value, at)} ${allowed(issue, value)}` })
}

const kinds: Readonly<Record<string, string>> = {
  int: 'must be a whole number',
  number: 'must be a number',
  string: 'must be a text',
  boolean: 'must be true or false',
  array: 'must be a list',
  object: 'must be an object',
}

function allowed(issue: z.core.$ZodIssue, value: unknown): string {
  if (issue.code === 'invalid_type') return kinds[issue.expected] ?? `must be of the type ${issue.expected}`
  if (issue.code === 'invalid_value') {
    const nearest = typeof value === 'string' ? nearestName(value, issue.values.map(String)) : undefined
    return `must be one of ${issue.values.join(', ')}${nearest === undefined ? '' : `; did you mean "${nearest}"?`}`
  }
  if (issue.code === 'too_small') {
    return issue.origin === 'string'
      ? `must have at least ${issue.minimum} characters`
      : `must be at least ${issue.minimum}`
  }
  return issue.code === 'too_big' ? `must be at most ${issue.maximum}` : issue.message
}

/** Values of these are never shown. */
const secretName = /token|password|secret|jaas|\.key\b/i

function seen(value: unknown, path = ''): string {
  if (value === undefined) return 'is missing, and'
  return secretName.test(path) ? 'is not right: it' : `is ${shown(value)}, and`
}

function shown(value: unknown): string {
  const text = JSON.stringify(value) ?? typeof value
  return text.length > 60 ? `${text.slice(0, 57)}…` : text
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** A name with dots of its own stands in quotes. */
function step(path: string, name: string): string {
  if (!/^\w+$/.test(name)) return `${path}["${name}"]`
  return path === '' ? name : `${path}.${name}`
}
