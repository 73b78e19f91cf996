/**
 * Resetting the offsets of a group and deleting it. Nothing is done that was not shown first: a dry run brings what stands and what would stand, and only that
 * can be done. The token is kept for this visit, in memory.
 */
import { useState } from 'preact/hooks'
import type { GroupChange, GroupDetail, ResetRequest, ResetTo } from '../../lag/api-types.ts'
import { ask, groupPath } from '../api.ts'
import { usePage } from '../page.ts'
import { PlainTable } from './plain-table.tsx'

type What = 'reset' | 'delete'

let rememberedToken = ''

export function Changes({ detail }: { detail: GroupDetail }) {
  const { t } = usePage()
  const [what, open] = useState<What>()
  const hasMembers = detail.members > 0
  return (
    <section class="panel changes" aria-label={t('change.title')}>
      <h2>{t('change.title')}</h2>
      {hasMembers && <p class="quiet">{t('change.hasMembers')}</p>}
      <div class="filters">
        {(['reset', 'delete'] as const).map((one) => (
          <button
            key={one}
            type="button"
            class={one === 'delete' ? 'dangerous' : undefined}
            disabled={hasMembers}
            aria-expanded={what === one}
            onClick={() => open(what === one ? undefined : one)}
          >
            {t(`change.${one}`)}
          </button>
        ))}
      </div>
      {what !== undefined && !hasMembers && <ChangeForm key={what} what={what} detail={detail} />}
    </section>
  )
}

type Outcome =
  | { readonly state: 'nothing' }
  | { readonly state: 'asking' }
  | { readonly state: 'shown' | 'done'; readonly change: GroupChange }
  | { readonly state: 'failed'; readonly message: string }

function ChangeForm({ what, detail }: { what: What; detail: GroupDetail }) {
  const { t } = usePage()
  const { cluster, group } = detail
  const [token, setToken] = useState(rememberedToken)
  const [wanted, setWanted] = useState<Wanted>({ kind: 'earliest', value: '', topic: '' })
  const [outcome, set] = useState<Outcome>({ state: 'nothing' })
  const target = resetTo(wanted)
  const send = async (dryRun: boolean, change?: GroupChange) => {
    rememberedToken = token
    set({ state: 'asking' })
    try {
      const to = change ? exactly(change) : target!
      const done = await (what === 'delete'
        ? ask<GroupChange>(`${groupPath(cluster, group)}?dryRun=${dryRun}`, withToken(token, 'DELETE'))
        : ask<GroupChange>(
            `${groupPath(cluster, group)}/reset`,
            withToken(token, 'POST', { dryRun, to, ...(wanted.topic === '' ? {} : { topic: wanted.topic }) }),
          ))
      set({ state: dryRun ? 'shown' : 'done', change: done })
    } catch (error) {
      set({ state: 'failed', message: (error as Error).message })
    }
  }
  return (
    <form
      class="change-form"
      onSubmit={(event) => {
        event.preventDefault()
        void send(true)
      }}
    >
      {what === 'reset' && (
        <TargetFields
          wanted={wanted}
          topics={[...new Set(detail.partitionList.map(({ topic }) => topic))].toSorted()}
          // Another target takes another dry run.
          onChange={(next) => {
            setWanted(next)
            set({ state: 'nothing' })
          }}
        />
      )}
      <label>
        {t('change.token')}
        <input
          type="password"
          required
          autocomplete="off"
          value={token}
          onInput={({ currentTarget }) => setToken(currentTarget.value)}
        />
      </label>
      <button type="submit" class="main" disabled={outcome.state === 'asking' || (what === 'reset' && !target)}>
        {t('change.dryRun')}
      </button>
      <Outcome what={what} outcome={outcome} onDo={(change) => void send(false, change)} />
    </form>
  )
}

interface Wanted {
  readonly kind: Exclude<ResetTo['kind'], 'offsets'>
  readonly value: string
  /** Empty: all. */
  readonly topic: string
}

/** undefined while the value is not one. */
function resetTo({ kind, value }: Wanted): ResetTo | undefined {
  if (kind === 'earliest' || kind === 'latest') return { kind }
  const number = kind === 'time' ? Date.parse(value) : /^[+-]?\d+$/.test(value) ? Number(value) : Number.NaN
  if (!Number.isSafeInteger(number) || (number < 0 && kind !== 'shift')) return undefined
  if (kind === 'time') return { kind, at: number }
  return kind === 'offset' ? { kind, offset: number } : { kind, by: number }
}

function exactly({ partitions }: GroupChange): ResetTo {
  return {
    kind: 'offsets',
    offsets: partitions.map(({ topic, partition, after }) => ({ topic, partition, offset: after! })),
  }
}

function withToken(token: string, method: string, body?: ResetRequest): RequestInit {
  return {
    method,
    headers: { authorization: `Bearer ${token}`, ...(body && { 'content-type': 'application/json' }) },
    ...(body && { body: JSON.stringify(body) }),
  }
}

const kinds = ['earliest', 'latest', 'offset', 'time', 'shift'] as const

function TargetFields({
  wanted,
  topics,
  onChange,
}: {
  wanted: Wanted
  topics: readonly string[]
  onChange: (wanted: Wanted) => void
}) {
  const { t } = usePage()
  const { kind, value, topic } = wanted
  return (
    <>
      <label>
        {t('change.to')}
        <select
          value={kind}
          onChange={({ currentTarget }) =>
            onChange({ ...wanted, kind: currentTarget.value as Wanted['kind'], value: '' })
          }
        >
          {kinds.map((one) => (
            <option key={one} value={one}>
              {t(`change.to.${one}`)}
            </option>
          ))}
        </select>
      </label>
      {kind !== 'earliest' && kind !== 'latest' && (
        <label>
          {t(`change.value.${kind}`)}
          <TargetValue kind={kind} value={value} onValue={(next) => onChange({ ...wanted, value: next })} />
        </label>
      )}
      <label>
        {t('column.topic')}
        <select value={topic} onChange={({ currentTarget }) => onChange({ ...wanted, topic: currentTarget.value })}>
          <option value="">{t('change.allTopics')}</option>
          {topics.map((one) => (
            <option key={one}>{one}</option>
          ))}
        </select>
      </label>
    </>
  )
}

function TargetValue({
  kind,
  value,
  onValue,
}: {
  kind: Wanted['kind']
  value: string
  onValue: (value: string) => void
}) {
  if (kind === 'time')
    return (
      <input
        type="datetime-local"
        required
        value={value}
        onInput={({ currentTarget }) => onValue(currentTarget.value)}
      />
    )
  return (
    <input
      type="text"
      inputMode="numeric"
      required
      value={value}
      onInput={({ currentTarget }) => onValue(currentTarget.value)}
    />
  )
}

function Outcome({ what, outcome, onDo }: { what: What; outcome: Outcome; onDo: (change: GroupChange) => void }) {
  const { t, formats } = usePage()
  if (outcome.state === 'nothing') return null
  if (outcome.state === 'asking') return <p class="quiet wide">{t('page.loading')}</p>
  if (outcome.state === 'failed')
    return (
      <p class="notice error wide" role="alert" lang="en">
        {outcome.message}
      </p>
    )
  const { change, state } = outcome
  return (
    <div class="wide">
      <p role="status">
        <strong>{t(state === 'shown' ? 'change.shown' : 'change.done')}</strong>
      </p>
      <PlainTable
        label={t('change.title')}
        rows={change.partitions}
        keyOf={({ topic, partition }) => `${topic} ${partition}`}
        columns={[
          { name: t('column.topic'), cell: ({ topic }) => topic },
          { name: t('column.partition'), isNumber: true, cell: ({ partition }) => partition },
          { name: t('change.before'), isNumber: true, cell: ({ before }) => formats.number(before) },
          { name: t('change.after'), isNumber: true, cell: ({ after }) => formats.number(after) },
          { name: t('change.lagBefore'), isNumber: true, cell: ({ lagBefore }) => formats.number(lagBefore) },
          { name: t('change.lagAfter'), isNumber: true, cell: ({ lagAfter }) => formats.number(lagAfter) },
        ]}
      />
      {state === 'shown' && (
        <button type="button" class="dangerous" onClick={() => onDo(change)}>
          {t(what === 'reset' ? 'change.doReset' : 'change.doDelete')}
        </button>
      )}
    </div>
  )
}
