/**
 * Reads a burrow.toml as it is: what Sluice can honour becomes what monitor.yaml would say (with `rule.set: burrow`), and everything else is named, with the
 * reason. Burrow ignores names that it does not know without a word; here they are said.
 */
import { parse, TomlError } from 'smol-toml'
import { nearestName } from '../client/index.ts'
import { type MonitorConfProblem, MonitorConfError } from './monitor-conf.ts'

export interface BurrowToml {
  /** For `checkMonitorConf`. May hold `${file:…}` references. */
  readonly values: Readonly<Record<string, unknown>>
  /** What is not honoured, and why. */
  readonly notes: readonly MonitorConfProblem[]
}

type Table = Readonly<Record<string, unknown>>

/** Names that Burrow knows, by section; those of a section with modules are its modules'. */
const known: Readonly<Record<string, readonly string[]>> = {
  general: ['pidfile', 'stdout-logfile', 'access-control-allow-origin'],
  logging: ['filename', 'level', 'maxsize', 'maxbackups', 'maxage', 'use-localtime', 'use-compression'],
  zookeeper: ['servers', 'timeout', 'root-path'],
  'client-profile': ['client-id', 'kafka-version', 'tls', 'sasl', 'iam', 'dial-timeout', 'read-timeout'],
  tls: ['certfile', 'keyfile', 'cafile', 'noverify'],
  sasl: ['username', 'password', 'mechanism', 'handshake-first'],
  iam: ['region', 'role-arn', 'profile'],
  cluster: ['class-name', 'servers', 'client-profile', 'topic-refresh', 'offset-refresh', 'groups-reaper-refresh'],
  consumer: [
    'class-name',
    'cluster',
    'servers',
    'client-profile',
    'group-allowlist',
    'group-denylist',
    'offsets-topic',
    'start-latest',
    'backfill-earliest',
    'zookeeper-path',
    'zookeeper-timeout',
  ],
  httpserver: ['address', 'timeout', 'tls'],
  storage: [
    'class-name',
    'workers',
    'intervals',
    'expire-group',
    'min-distance',
    'queue-depth',
    'group-allowlist',
    'group-denylist',
  ],
  evaluator: ['class-name', 'expire-cache', 'allowed-lag', 'minimum-complete'],
  notifier: [
    'class-name',
    'interval',
    'send-interval',
    'threshold',
    'send-once',
    'send-close',
    'group-allowlist',
    'group-denylist',
    'extras',
    'template-open',
    'template-close',
    'url-open',
    'url-close',
    'method-open',
    'method-close',
    'timeout',
    'keepalive',
    'headers',
    'username',
    'password',
    'extra-ca',
    'noverify',
    'disable-http-keepalive',
    'server',
    'port',
    'auth-type',
    'from',
    'to',
  ],
}

/** Names that have no meaning here, and why. */
const needless: Readonly<Record<string, string>> = {
  'general.pidfile': 'the store keeps a second monitor out',
  'general.stdout-logfile': 'the log goes to standard error',
  'logging.*': 'the log goes to standard error; --log-level and --log-format say how',
  'zookeeper.*': 'no ZooKeeper is needed',
  'client-profile.kafka-version': 'versions are agreed on with each broker',
  'client-profile.iam': 'AWS IAM is not supported',
  'iam.*': 'AWS IAM is not supported',
  'sasl.handshake-first': 'the handshake always comes first',
  'cluster.class-name': 'there is one class, kafka',
  'cluster.groups-reaper-refresh': 'groups that are gone leave with the next sample',
  'consumer.offsets-topic': 'it is always __consumer_offsets',
  'consumer.start-latest': 'every group is known from the first sample on',
  'consumer.backfill-earliest': 'every group is known from the first sample on',
  'httpserver.timeout': 'the server has times of its own',
  'storage.class-name': 'there is one store',
  'storage.workers': 'there are no workers',
  'storage.queue-depth': 'there are no queues',
  'storage.expire-group': 'groups leave when Kafka deletes them',
  'evaluator.class-name': 'there is one evaluator',
  'evaluator.expire-cache': 'each sample is judged once',
  'notifier.interval': 'groups are judged with each sample',
  'notifier.keepalive': 'connections are kept as they come',
  'notifier.disable-http-keepalive': 'connections are kept as they come',
  'notifier.extras': 'texts are Sluice’s own: see the templates of monitor.yaml',
  'notifier.template-open': 'Go templates are not run: the message is Sluice’s own',
  'notifier.template-close': 'Go templates are not run: the message is Sluice’s own',
  'notifier.extra-ca': 'the system’s authorities, or NODE_EXTRA_CA_CERTS, are used',
  'notifier.noverify': 'certificates are always checked',
}

/** @throws MonitorConfError when it is no TOML, or names things that are not there */
export function readBurrowToml(text: string, file: string): BurrowToml {
  return new BurrowTomlReader(parsed(text, file), file).read()
}

function parsed(text: string, file: string): Table {
  try {
    return parse(text)
  } catch (error) {
    if (!(error instanceof TomlError)) throw error
    const reason = error.message.split('\n')[0]!.replace(/^Invalid TOML document: /, '')
    throw new MonitorConfError(file, [
      { path: `line ${error.line}, column ${error.column}`, message: `is not TOML: ${reason}` },
    ])
  }
}

class BurrowTomlReader {
  readonly #toml: Table
  readonly #file: string
  readonly #notes: MonitorConfProblem[] = []
  readonly #problems: MonitorConfProblem[] = []

  constructor(toml: Table, file: string) {
    this.#toml = toml
    this.#file = file
  }

  read(): BurrowToml {
    this.#nameTheRest()
    const values: Record<string, unknown> = { ...this.#general(), ...this.#server(), clusters: this.#clusters() }
    const notifiers = this.#notifiers()
    if (Object.keys(notifiers).length > 0) values['notifiers'] = notifiers
    if (this.#problems.length > 0) throw new MonitorConfError(this.#file, this.#problems)
    return { values, notes: this.#notes }
  }

  #section(name: string): Table {
    return tableOf(this.#toml[name])
  }

  /** Modules of a section by name. */
  #modules(name: string): [string, Table][] {
    return Object.entries(this.#section(name)).map(([module, values]) => [module, tableOf(values)])
  }

  #note(path: string, message: string): void {
    this.#notes.push({ path, message })
  }

  #nameTheRest(): void {
    for (const [section, values] of Object.entries(this.#toml)) {
      const names = known[section]
      if (!names) {
        this.#note(section, unknown(section, Object.keys(known)))
        continue
      }
      const isPlain = ['general', 'logging', 'zookeeper'].includes(section)
      const tables: [path: string, table: Table][] = isPlain
        ? [[section, tableOf(values)]]
        : this.#modules(section).map(([name, table]) => [`${section}.${name}`, table])
      for (const [path, table] of tables)
        for (const name of Object.keys(table)) this.#nameOne(section, path, name, names)
    }
  }

  #nameOne(section: string, path: string, name: string, names: readonly string[]): void {
    const reason = needless[`${section}.${name}`] ?? needless[`${section}.*`]
    if (!names.includes(name)) this.#note(`${path}.${name}`, unknown(name, names))
    else if (reason !== undefined) this.#note(`${path}.${name}`, `is not honoured: ${reason}`)
  }

  #general(): Table {
    const origin = this.#section('general')['access-control-allow-origin']
    return typeof origin === 'string' && origin !== '' ? { 'access.control.allow.origin': origin } : {}
  }

  #server(): Table {
    const [first, ...others] = this.#modules('httpserver')
    for (const [name] of others) this.#note(`httpserver.${name}`, 'is not honoured: the monitor listens on one address')
    if (!first) return {}
    const [name, { address, tls }] = first
    if (tls !== undefined)
      this.#note(`httpserver.${name}.tls`, 'is not honoured: the monitor speaks plain HTTP; put a proxy before it')
    return typeof address === 'string' ? { listen: address.startsWith(':') ? `0.0.0.0${address}` : address } : {}
  }

  #clusters(): Table {
    const judging = { 'rule.set': 'burrow', ...this.#judging() }
    const clusters: Record<string, unknown> = {}
    for (const [name, values] of this.#modules('cluster')) {
      const {
        servers,
        'client-profile': profile,
        'offset-refresh': offsets = 10,
        'topic-refresh': topics = 60,
      } = values
      clusters[name] = {
        ...judging,
        ...this.#profile(profile, `cluster.${name}`),
        'bootstrap.servers': Array.isArray(servers) ? servers.join(',') : servers,
        'sample.interval.ms': milliseconds(offsets),
        'topics.interval.ms': milliseconds(topics),
        ...this.#consumers(name),
      }
    }
    return clusters
  }

  /** What storage and evaluator say holds for all clusters, as in Burrow. */
  #judging(): Table {
    const [storage] = this.#modules('storage')
    const [evaluator] = this.#modules('evaluator')
    const { intervals = 10, 'min-distance': distance = 0, ...rest } = storage?.[1] ?? {}
    const { 'allowed-lag': allowed, 'minimum-complete': complete } = evaluator?.[1] ?? {}
    return {
      'window.samples': intervals,
      'minimum.samples': Math.min(5, Number(intervals) || 5),
      'min.distance.ms': milliseconds(distance),
      ...(allowed === undefined ? {} : { 'allowed.lag': allowed }),
      ...(complete === undefined ? {} : { 'minimum.complete': complete }),
      ...lists(rest),
    }
  }

  /** Burrow reads `__consumer_offsets`, and so does this; what its lists leave out is left out. */
  #consumers(cluster: string): Table {
    const mine = this.#modules('consumer').filter(([, { cluster: of }]) => of === cluster)
    let found: Table = {}
    for (const [name, values] of mine) {
      if (values['class-name'] === 'kafka') found = { ...found, collect: 'both', ...lists(values) }
      else
        this.#note(
          `consumer.${name}`,
          `is not honoured: of the class ${String(values['class-name'])}, and groups commit to Kafka`,
        )
    }
    return found
  }

  #profile(name: unknown, path: string): Table {
    if (name === undefined || name === '') return {}
    const found = this.#section('client-profile')[nameOf(name)]
    if (found === undefined) {
      this.#problems.push({
        path: `${path}.client-profile`,
        message: `names "${nameOf(name)}", and there is no [client-profile.${nameOf(name)}]`,
      })
      return {}
    }
    const { 'client-id': id, tls, sasl, 'dial-timeout': dial, 'read-timeout': read } = tableOf(found)
    return {
      'client.id': id ?? 'burrow-lagchecker',
      ...(dial === undefined ? {} : { 'socket.connection.setup.timeout.ms': milliseconds(dial) }),
      ...(read === undefined ? {} : { 'request.timeout.ms': milliseconds(read) }),
      ...this.#security(tls, sasl, `client-profile.${nameOf(name)}`),
    }
  }

  #security(tls: unknown, sasl: unknown, path: string): Table {
    if (tls === undefined && sasl === undefined) return {}
    const protocol = sasl === undefined ? 'SSL' : tls === undefined ? 'SASL_PLAINTEXT' : 'SASL_SSL'
    return { 'security.protocol': protocol, ...this.#tls(tls, path), ...this.#sasl(sasl, path) }
  }

  #tls(name: unknown, path: string): Table {
    if (name === undefined) return {}
    const { cafile, certfile, keyfile, noverify } = this.#named('tls', name, path)
    if (noverify === true)
      this.#note(`tls.${nameOf(name)}.noverify`, 'is honoured in part: names are not checked, certificates are')
    return {
      ...(isText(cafile) ? { 'ssl.truststore.type': 'PEM', 'ssl.truststore.location': cafile } : {}),
      ...(isText(certfile) && isText(keyfile)
        ? {
            'ssl.keystore.type': 'PEM',
            'ssl.keystore.certificate.chain': `\${file:${certfile}}`,
            'ssl.keystore.key': `\${file:${keyfile}}`,
          }
        : {}),
      ...(noverify === true ? { 'ssl.endpoint.identification.algorithm': '' } : {}),
    }
  }

  #sasl(name: unknown, path: string): Table {
    if (name === undefined) return {}
    const { username = '', password = '', mechanism = 'PLAIN' } = this.#named('sasl', name, path)
    const kind = String(mechanism).startsWith('SCRAM') ? 'scram.ScramLoginModule' : 'plain.PlainLoginModule'
    const quoted = (value: unknown) => `"${String(value).replaceAll(/["\\]/g, String.raw`\$&`)}"`
    return {
      'sasl.mechanism': mechanism,
      'sasl.jaas.config': `org.apache.kafka.common.security.${kind} required username=${quoted(username)} password=${quoted(password)};`,
    }
  }

  #named(section: string, name: unknown, path: string): Table {
    const found = this.#section(section)[nameOf(name)]
    if (found === undefined) {
      this.#problems.push({
        path: `${path}.${section}`,
        message: `names "${nameOf(name)}", and there is no [${section}.${nameOf(name)}]`,
      })
    }
    return tableOf(found)
  }

  #notifiers(): Record<string, unknown> {
    const found: Record<string, unknown> = {}
    for (const [name, values] of this.#modules('notifier')) {
      const notifier = this.#notifier(name, values)
      if (notifier) found[name] = notifier
    }
    return found
  }

  #notifier(name: string, values: Table): Table | undefined {
    const path = `notifier.${name}`
    const type = values['class-name']
    if (type === 'null') return undefined
    if (type !== 'http' && type !== 'email') {
      this.#note(path, `is not honoured: of the class ${String(type)}, which is not known`)
      return undefined
    }
    const { threshold = 2, 'send-interval': every = values['interval'] ?? 60 } = values
    if (threshold === 1)
      this.#note(
        `${path}.threshold`,
        'is 1, and WARNING is the least that is told: nobody is told of groups that are OK',
      )
    const common = {
      threshold: Number(threshold) >= 3 ? 'ERROR' : 'WARNING',
      'interval.ms': Math.max(1000, milliseconds(every)),
      'send.once': values['send-once'] ?? false,
      'send.close': values['send-close'] ?? false,
      ...lists(values),
    }
    return type === 'http' ? this.#http(path, values, common) : email(values, common)
  }

  #http(path: string, values: Table, common: Table): Table {
    const {
      'url-open': url,
      'url-close': close,
      'method-open': method = 'POST',
      'method-close': closing,
      timeout = 5,
    } = values
    if (close !== undefined && close !== url)
      this.#note(`${path}.url-close`, 'is not honoured: a close goes where the alert went, and says "event": "close"')
    if (closing !== undefined && closing !== method)
      this.#note(`${path}.method-close`, `is not honoured: a close is sent by ${String(method)} too`)
    const { username, password = '', headers } = values
    const basic = isText(username)
      ? { authorization: `Basic ${Buffer.from(`${username}:${String(password)}`).toString('base64')}` }
      : {}
    return {
      type: 'webhook',
      url,
      method,
      'timeout.ms': milliseconds(timeout),
      headers: { ...tableOf(headers), ...basic },
      ...common,
    }
  }
}

function email(values: Table, common: Table): Table {
  const { server: host, port = 25, from, to, username, password } = values
  const receivers = isText(to) ? to.split(/\s*,\s*/) : to
  const user = isText(username) ? { user: username, ...(isText(password) ? { password } : {}) } : {}
  return { type: 'email', host, port, from, to: receivers, ...user, ...common }
}

/** Go's expressions match anywhere in a name; those of monitor.yaml a whole one. */
function lists({ 'group-allowlist': allow, 'group-denylist': deny }: Table): Table {
  const anywhere = (text: string) => `.*(?:${text}).*`
  return {
    ...(isText(allow) ? { 'groups.allow': anywhere(allow) } : {}),
    ...(isText(deny) ? { 'groups.deny': anywhere(deny) } : {}),
  }
}

function unknown(name: string, names: readonly string[]): string {
  const nearest = nearestName(name, names)
  return `is not known to Burrow${nearest === undefined ? '' : `; did you mean "${nearest}"?`}`
}

function milliseconds(seconds: unknown): number {
  return Number(seconds) * 1000
}

/** Of another section, which TOML has as a text. */
function nameOf(value: unknown): string {
  return typeof value === 'string' ? value : (JSON.stringify(value) ?? '')
}

function isText(value: unknown): value is string {
  return typeof value === 'string' && value !== ''
}

function tableOf(value: unknown): Table {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Table) : {}
}
