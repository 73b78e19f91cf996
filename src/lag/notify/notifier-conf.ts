/** The `notifiers` of a monitor.yaml: the table of what each kind takes, from which the checks and docs/monitor-yaml.md are made. */
import * as z from 'zod'
import { defaultCloseText, defaultSubject, defaultText, defaultWebhook } from './messages.ts'
import { unknownPlaces } from './template.ts'

const url = () => z.url({ protocol: /^https?$/, error: 'must be an http or https address' })
const template = () =>
  z.string().refine((text) => unknownPlaces(text).length === 0, {
    error: ({ input }) => `has places that nobody knows: ${unknownPlaces(String(input)).join(', ')}`,
  })
const headers = () => z.record(z.string(), z.string()).default({}).describe('Headers of the request.')
const pattern = () => z.string().refine(isPattern, { error: 'must be a regular expression that matches whole names' })

function isPattern(text: string): boolean {
  try {
    return new RegExp(`^(?:${text})$`, 'u') instanceof RegExp
  } catch {
    return false
  }
}

/** What every notifier takes. */
export const everyNotifierShape = {
  clusters: z.array(z.string()).optional().describe('Only these clusters; without it, all.'),
  'groups.allow': pattern().optional().describe('Only groups whose whole name matches.'),
  'groups.deny': pattern().optional().describe('Not groups whose whole name matches.'),
  'timeout.ms': z.int().min(100).max(600_000).default(5000).describe('For one attempt.'),
} as const

/** What those take that tell a person. */
export const alertShape = {
  threshold: z.enum(['WARNING', 'ERROR']).default('WARNING').describe('The least status that is told.'),
  'interval.ms': z
    .int()
    .min(1000)
    .default(3_600_000)
    .describe('Between two messages about a group that is still not well.'),
  'send.once': z.boolean().default(false).describe('Whether an alert is told once only.'),
  'send.close': z.boolean().default(true).describe('Whether it is told that a group is well again.'),
} as const

export const notifierShapes = {
  webhook: {
    url: url().describe('Where to send it; `{{group}}` and the like may stand in it.'),
    method: z.enum(['POST', 'PUT']).default('POST').describe('How.'),
    headers: headers(),
    template: template().default(defaultWebhook).describe('Body of the request.'),
    'template.close': template().optional().describe('Body when a group is well again; without it, `template`.'),
  },
  slack: {
    url: url().describe('The incoming webhook.'),
    channel: z.string().min(1).optional().describe('Channel, in place of the webhook’s own.'),
    template: template().default(defaultText).describe('The text.'),
    'template.close': template().default(defaultCloseText).describe('The text when a group is well again.'),
  },
  email: {
    host: z.string().min(1).describe('The mail server.'),
    port: z.int().min(1).max(65_535).default(587).describe('Its port.'),
    tls: z.boolean().default(false).describe('TLS from the beginning; else STARTTLS where the server offers it.'),
    user: z.string().min(1).optional().describe('Who signs in.'),
    password: z.string().min(1).optional().describe('With what.'),
    from: z.string().min(1).describe('The sender.'),
    to: z.array(z.string().min(1)).min(1).describe('The receivers.'),
    subject: template().default(defaultSubject).describe('The subject.'),
    template: template().default(defaultText).describe('The text.'),
    'template.close': template().default(defaultCloseText).describe('The text when a group is well again.'),
  },
  statsd: {
    host: z.string().min(1).default('127.0.0.1').describe('Where StatsD listens.'),
    port: z.int().min(1).max(65_535).default(8125).describe('Its port, UDP.'),
    prefix: z.string().default('').describe('Stands before each name.'),
    format: z.enum(['dogstatsd', 'statsd']).default('dogstatsd').describe('Tags as Datadog’s, or as part of the name.'),
  },
  influxdb: {
    url: url().describe('Where to write, with database or bucket: `http://127.0.0.1:8086/write?db=kafka`.'),
    headers: headers(),
  },
} as const

export type NotifierType = keyof typeof notifierShapes
export const notifierTypes = Object.keys(notifierShapes) as NotifierType[]

export const tellsPersons = (type: NotifierType): boolean => ['webhook', 'slack', 'email'].includes(type)

export function shapeOf(type: NotifierType): z.ZodRawShape {
  return { ...notifierShapes[type], ...(tellsPersons(type) ? alertShape : {}), ...everyNotifierShape }
}

/** After the file has been read: `settings` are of the type's shape. */
export interface NotifierConf {
  readonly name: string
  readonly type: NotifierType
  readonly settings: Readonly<Record<string, any>>
}
