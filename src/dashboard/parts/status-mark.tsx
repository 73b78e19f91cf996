/** A status as shape and word. The colour says the same a third time, to those who see it. */
import type { GroupSummary, PartitionSummary } from '../../lag/api-types.ts'
import { usePage } from '../page.ts'

type AnyStatus = GroupSummary['status'] | PartitionSummary['status']

const looks: Readonly<Record<AnyStatus, 'ok' | 'warning' | 'error' | 'unknown'>> = {
  OK: 'ok',
  WARNING: 'warning',
  WARN: 'warning',
  ERROR: 'error',
  STOP: 'error',
  STALL: 'error',
  REWIND: 'error',
  UNKNOWN: 'unknown',
}

export function lookOf(status: AnyStatus) {
  return looks[status]
}

export function StatusShape({ status }: { status: AnyStatus }) {
  const look = looks[status]
  return (
    <svg class={`shape ${look}`} viewBox="0 0 16 16" width="16" height="16" aria-hidden="true">
      {look === 'ok' && (
        <>
          <circle cx="8" cy="8" r="7" />
          <path class="on" d="m4.500 8.200 2.500 2.500 4.500-5" />
        </>
      )}
      {look === 'warning' && (
        <>
          <path d="M8 1 15.500 14.500h-15Z" />
          <path class="on" d="M8 6v4M8 12v.8" />
        </>
      )}
      {look === 'error' && (
        <>
          <path d="M5 .8h6L15.200 5v6L11 15.200H5L.8 11V5Z" />
          <path class="on" d="m5 5 6 6m0-6-6 6" />
        </>
      )}
      {look === 'unknown' && <circle class="hollow" cx="8" cy="8" r="6" />}
    </svg>
  )
}

export function StatusMark({ status }: { status: AnyStatus }) {
  const { t } = usePage()
  return (
    <span class={`status ${looks[status]}`}>
      <StatusShape status={status} />
      <span>{t(`status.${status}`)}</span>
    </span>
  )
}
