/** How something stands, by which rule, and the evidence in a sentence. */
import type { GroupSummary, PartitionSummary } from '../../lag/api-types.ts'
import type { MessageKey } from '../messages.ts'
import { usePage } from '../page.ts'
import { lookOf, StatusMark } from './status-mark.tsx'

interface VerdictProps {
  readonly status: GroupSummary['status'] | PartitionSummary['status']
  readonly rule: GroupSummary['rule']
  readonly evidence: string | null
  readonly since?: number | null | undefined
  readonly children?: preact.ComponentChildren
}

export function Verdict({ status, rule, evidence, since, children }: VerdictProps) {
  const { t, formats, live } = usePage()
  return (
    <section class={`panel verdict ${lookOf(status)}`} aria-label={t('group.why')} data-status={status}>
      <StatusMark status={status} />{' '}
      {since !== undefined && since !== null && (
        <span class="quiet">{t('status.since', { time: formats.time(since, live.now) })}</span>
      )}
      {rule !== null && (
        <p>
          <strong>{t(`rule.${rule}` satisfies MessageKey)}</strong>{' '}
          <small class="quiet">{t('group.rule', { rule })}</small>
        </p>
      )}
      {evidence !== null && <p lang="en">{evidence}</p>}
      {children}
    </section>
  )
}
