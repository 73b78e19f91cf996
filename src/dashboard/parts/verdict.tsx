/** How something stands, by which rule, and the evidence in a sentence. */
import type { GroupSummary, PartitionSummary } from '../../lag/api-types.ts'
import type { Sentence } from '../../lag/sentences.ts'
import type { MessageKey } from '../messages.ts'
import { usePage } from '../page.ts'
import { Sentences } from './sentences.tsx'
import { lookOf, StatusMark } from './status-mark.tsx'

interface VerdictProps {
  readonly status: GroupSummary['status'] | PartitionSummary['status']
  readonly rule: GroupSummary['rule']
  readonly evidence: readonly Sentence[]
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
      {evidence.length > 0 && (
        <p class="evidence">
          <Sentences all={evidence} />
        </p>
      )}
      {children}
    </section>
  )
}
