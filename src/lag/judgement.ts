/**
 * What a rule says of a partition: the status, and the evidence for it in words that a person on call understands, with the samples it
 * rests on. Also how numbers and durations are written in English.
 */
import { inWords, type Sentence, type SentenceFormats } from './sentences.ts'
import type { PartitionStatus } from './status.ts'

/** Which rule spoke. The first that matches decides; docs/lag.md explains each. */
export type RuleName =
  | 'no-commit'
  | 'within-allowed-lag'
  | 'only-markers'
  | 'window-too-short'
  | 'open-transaction'
  | 'stopped'
  | 'rewound'
  | 'lag-was-allowed'
  | 'stalled'
  | 'falling-behind'
  | 'records-lost'
  | 'catching-up'
  | 'keeping-pace'
  | 'lag-fell'

export interface Judgement {
  readonly status: PartitionStatus
  readonly rule: RuleName
  /** One to three. */
  readonly sentences: readonly Sentence[]
  /** The same, in English. */
  readonly evidence: string
  /** Of the samples (or commits, for Burrow's rules) that the rule saw, oldest and newest: milliseconds since 1970; null if it needed none. */
  readonly from: number | null
  readonly to: number | null
  /** How many samples or commits the rule saw. */
  readonly samples: number
  /** 0 to 1: how much of the window is filled. */
  readonly complete: number
}

/** What a rule rests on: the samples, or commits for Burrow's rules. */
export type JudgedWindow = Pick<Judgement, 'from' | 'to' | 'samples' | 'complete'>

/** Puts the evidence into words only when somebody asks: nearly nobody does, of a hundred thousand partitions that are judged with every sample. */
export class RuleJudgement implements Judgement {
  readonly status: PartitionStatus
  readonly rule: RuleName
  readonly sentences: readonly Sentence[]
  readonly from: number | null
  readonly to: number | null
  readonly samples: number
  readonly complete: number

  constructor(status: PartitionStatus, rule: RuleName, sentences: readonly Sentence[], window: JudgedWindow) {
    this.status = status
    this.rule = rule
    this.sentences = sentences
    this.from = window.from
    this.to = window.to
    this.samples = window.samples
    this.complete = window.complete
  }

  get evidence(): string {
    return inEnglish(this.sentences)
  }
}

const whole = new Intl.NumberFormat('en-US', { maximumFractionDigits: 0 })

/** `1234567` as `1,234,567`. */
export function count(value: number): string {
  return whole.format(value)
}

/** `45 s`, `2 min 5 s`, `3 h 10 min`, `2 d 4 h`. */
export function duration(ms: number): string {
  const seconds = Math.round(ms / 1000)
  if (seconds < 60) return `${seconds} s`
  const [large, small, inSmall] = seconds < 3600 ? (['min', 's', 60] as const) : (['h', 'min', 60] as const)
  const total = large === 'min' ? seconds : Math.round(seconds / 60)
  if (large === 'h' && total >= 24 * 60) {
    const hours = Math.round(total / 60)
    return withRest(Math.floor(hours / 24), 'd', hours % 24, 'h')
  }
  return withRest(Math.floor(total / inSmall), large, total % inSmall, small)
}

function withRest(large: number, largeUnit: string, small: number, smallUnit: string): string {
  return small === 0 ? `${large} ${largeUnit}` : `${large} ${largeUnit} ${small} ${smallUnit}`
}

/** `12.5/s`, `1,200/s`. */
export function rate(perSecond: number): string {
  return `${perSecond >= 100 ? count(perSecond) : perSecond.toFixed(perSecond >= 10 ? 1 : 2)}/s`
}

const english: SentenceFormats = { number: count, duration, rate, status: (status) => status }

export function inEnglish(all: readonly Sentence[]): string {
  return all.map((sentence) => inWords(sentence, 'en', english)).join(' ')
}
