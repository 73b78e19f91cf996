/**
 * What the monitor says of partitions and groups, as sentences with places for numbers, in every language that the page speaks. A rule hands out a sentence's name and the numbers; whoever shows it puts
 * them in: the API, alerts and the command line in English (`inEnglish`), the page in the reader's language and locale. Pure, and known to the page.
 *
 * A place is `{name}`, put in as it is, or `{name:kind}`, written as the reader's locale writes a thing of that kind.
 */
export type SentenceLanguage = 'en' | 'ko'

/** [English, Korean] */
export const sentences = {
  'not-judged': ['Not judged yet.', '아직 판단하지 않았습니다.'],
  'everything-read': ['Every record is read.', '모든 레코드를 읽었습니다.'],
  'nothing-committed': [
    'The group has committed nothing on this partition: there is no lag to judge.',
    '그룹이 이 파티션에 커밋한 것이 없어 판단할 지연이 없습니다.',
  ],
  'too-few-samples': [
    '{lag:behind} wait; {samples:number} of {needed:number} samples that a judgement needs have been taken.',
    '{lag:behind}가 기다립니다. 판단에 필요한 표본 {needed:number}개 중 {samples:number}개를 얻었습니다.',
  ],
  'only-markers': [
    'Every record is read: the {offsets:number} offsets up to the end are transaction markers.',
    '모든 레코드를 읽었습니다. 끝까지 남은 오프셋 {offsets:number}개는 트랜잭션 표시입니다.',
  ],
  allowed: [
    '{lag:records} wait, and {allowed:number} are allowed.',
    '{lag:records}가 기다리며, {allowed:number}개까지 허용됩니다.',
  ],
  'open-transaction': [
    'The group has read up to offset {offset:number}, where an open transaction begins, for {held:duration}; {waiting:number} offsets behind it wait for that producer to commit or abort.',
    '그룹이 {held:duration} 동안 오프셋 {offset:number}까지 읽고 있습니다. 거기서 열린 트랜잭션이 시작되며, 그 뒤의 오프셋 {waiting:number}개는 프로듀서가 커밋하거나 중단하기를 기다립니다.',
  ],
  'went-back': [
    '{ago:duration} ago the committed offset went back by {by:records}, from {from:number} to {to:number}; it stands at {committed:number}, and {lag:behind} wait.',
    '{ago:duration} 전에 커밋 오프셋이 {from:number}에서 {to:number}(으)로, {by:records}만큼 뒤로 갔습니다. 지금 {committed:number}에 있고 {lag:behind}가 기다립니다.',
  ],
  'stands-while-written': [
    'The commit has stood at {committed:number} for {stuck:duration} while {written:records} more were written; {lag:behind} wait.',
    '{written:records}가 더 쓰이는 동안 커밋이 {stuck:duration}째 {committed:number}에 멈춰 있습니다. {lag:behind}가 기다립니다.',
  ],
  'stands-in-silence': [
    'The commit has stood at {committed:number} for {stuck:duration} and nothing more was written; {lag:behind} wait.',
    '커밋이 {stuck:duration}째 {committed:number}에 멈춰 있고 더 쓰인 것은 없습니다. {lag:behind}가 기다립니다.',
  ],
  'owner-idle': [
    '{client} on {host} is assigned the partition and does not get on.',
    '{host}의 {client}에 파티션이 할당되어 있으나 나아가지 않습니다.',
  ],
  'owner-unknown': ['Who is assigned it is not known.', '어느 멤버에 할당되었는지 알 수 없습니다.'],
  'no-owner': ['No member is assigned it (the group is {state}).', '할당된 멤버가 없습니다(그룹 상태: {state}).'],
  'no-members': ['The group has no members.', '그룹에 멤버가 없습니다.'],
  'deleted-unread': [
    '{lost:records} were deleted before the group read them: it stands at {committed:number}, the log begins at {start:number}.',
    '{lost:records}가 읽히기 전에 삭제되었습니다. 그룹은 {committed:number}에 있고 로그는 {start:number}에서 시작합니다.',
  ],
  'lag-rose': [
    'The lag rose from {first:records} to {last:records} within {span:duration}: {lag:behind} wait.',
    '{span:duration} 동안 지연이 {first:records}에서 {last:records}(으)로 늘었습니다. {lag:behind}가 기다립니다.',
  ],
  'lag-falls': [
    '{lag:behind} wait, fewer than the {first:number} before.',
    '{lag:behind}가 기다리며, 이전의 {first:number}개보다 적습니다.',
  ],
  'lag-stays': ['{lag:behind} wait, and the lag does not grow.', '{lag:behind}가 기다리며, 지연은 늘지 않습니다.'],
  paces: ['It reads {read:rate}, producers write {written:rate}.', '읽기는 {read:rate}, 쓰기는 {written:rate}입니다.'],
  forecast: ['At this pace it has caught up in {left:duration}.', '이 속도라면 {left:duration} 뒤에 따라잡습니다.'],

  'burrow.no-commit': [
    'No commit of the group on this partition has been seen.',
    '이 파티션에서 그룹의 커밋이 보이지 않았습니다.',
  ],
  'burrow.too-few-commits': [
    'Only {commits:number} of {intervals:number} commits have been seen.',
    '커밋 {intervals:number}개 중 {commits:number}개만 보였습니다.',
  ],
  'burrow.allowed': [
    'The lag is {lag:records}, at most {allowed:number} are allowed.',
    '지연은 {lag:records}이며, {allowed:number}개까지 허용됩니다.',
  ],
  'burrow.stopped': [
    'The last commit was {silent:duration} ago; the {commits:number} before it came within {span:duration}. {lag:records} wait.',
    '마지막 커밋은 {silent:duration} 전이었고, 그 이전 {commits:number}개는 {span:duration} 안에 있었습니다. {lag:records}가 기다립니다.',
  ],
  'burrow.went-back': [
    'The committed offset went back from {from:number} to {to:number} and stands at {committed:number}.',
    '커밋 오프셋이 {from:number}에서 {to:number}(으)로 뒤로 갔고 지금 {committed:number}에 있습니다.',
  ],
  'burrow.was-allowed': [
    'One of the last {commits:number} commits left no more lag than is allowed.',
    '최근 커밋 {commits:number}개 중 하나에서 지연이 허용 범위 안이었습니다.',
  ],
  'burrow.same-offset': [
    '{commits:number} commits in a row are of the same offset {committed:number}, and {lag:records} wait.',
    '커밋 {commits:number}개가 잇달아 같은 오프셋 {committed:number}이고 {lag:records}가 기다립니다.',
  ],
  'burrow.never-fell': [
    'Over {commits:number} commits the lag never fell; it is {lag:records}.',
    '커밋 {commits:number}개 동안 지연이 한 번도 줄지 않았습니다. 지금 {lag:records}입니다.',
  ],
  'burrow.fell': [
    'The lag is {lag:records} and fell at least once within {commits:number} commits.',
    '지연은 {lag:records}이며 커밋 {commits:number}개 안에서 적어도 한 번 줄었습니다.',
  ],

  'mark.status': ['{before:status} to {status:status}.', '{before:status}에서 {status:status}.'],
  'mark.rebalances': ['The group rebalances ({state}).', '그룹이 리밸런스 중입니다({state}).'],
  'mark.assigned': [
    'Partitions were assigned anew; members: {members:number}.',
    '파티션이 새로 할당되었습니다. 멤버: {members:number}.',
  ],
  'mark.recreated': [
    'The topic {topic} was deleted and created anew.',
    '토픽 {topic}이(가) 삭제되고 새로 만들어졌습니다.',
  ],
  'mark.cut-back': [
    'The log of {topic}-{partition} was cut back to offset {end:number}.',
    '{topic}-{partition}의 로그가 오프셋 {end:number}까지 잘렸습니다.',
  ],
  'mark.offsets-set': [
    'Offsets were set; partitions: {partitions:number}.',
    '오프셋을 설정했습니다. 파티션: {partitions:number}.',
  ],
} as const satisfies Readonly<Record<string, readonly [en: string, ko: string]>>

export type SentenceName = keyof typeof sentences

/** A sentence and what stands in its places. Durations are milliseconds, rates are a second's; beside the lag of a `behind` may stand `lagSeconds`. */
export interface Sentence {
  readonly name: SentenceName
  readonly values: Readonly<Record<string, string | number | null>>
}

/** How the reader writes things. */
export interface SentenceFormats {
  readonly number: (value: number) => string
  readonly duration: (ms: number) => string
  readonly rate: (perSecond: number) => string
  readonly status: (status: string) => string
}

const places: Readonly<Record<SentenceLanguage, number>> = { en: 0, ko: 1 }

/** A sentence that is not known, as it comes from a newer monitor, is its name. */
export function inWords({ name, values }: Sentence, language: SentenceLanguage, formats: SentenceFormats): string {
  const template: string = sentences[name]?.[places[language]] ?? name
  return template.replaceAll(/\{(\w+)(?::(\w+))?\}/g, (whole, place: string, kind: string | undefined) => {
    const value = values[place]
    if (value === undefined || value === null) return whole
    if (typeof value === 'string') return kind === 'status' ? formats.status(value) : value
    switch (kind) {
      case 'number':
        return formats.number(value)
      case 'duration':
        return formats.duration(value)
      case 'rate':
        return formats.rate(value)
      case 'records':
        return recordsIn(language, value, formats)
      case 'behind': {
        const { lagSeconds } = values
        const lag = recordsIn(language, value, formats)
        return typeof lagSeconds === 'number' ? withTime(language, lag, formats.duration(lagSeconds * 1000)) : lag
      }
      case undefined:
      default:
        return String(value)
    }
  })
}

function recordsIn(language: SentenceLanguage, value: number, { number }: SentenceFormats): string {
  if (language === 'ko') return `레코드 ${number(value)}개`
  return `${number(value)} ${value === 1 ? 'record' : 'records'}`
}

function withTime(language: SentenceLanguage, lag: string, time: string): string {
  return language === 'ko' ? `${lag}(${time})` : `${lag} (${time})`
}
