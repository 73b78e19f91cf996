/** Every word that the page says, in both of its languages. `{name}` is filled in. */

export type Language = 'en' | 'ko'

export const languages: Readonly<Record<Language, string>> = { en: 'English', ko: '한국어' }

/** [English, Korean] */
export const messages = {
  'page.title': ['Sluice: lag of consumer groups', 'Sluice: 컨슈머 그룹 지연'],
  'page.skip': ['Skip to the content', '본문으로 건너뛰기'],
  'page.home': ['All groups', '모든 그룹'],
  'page.where': ['You are here', '현재 위치'],
  'page.topics': ['Topics', '토픽'],
  'page.compare': ['Compare', '비교'],
  'page.language': ['Language', '언어'],
  'page.theme': ['Colours', '색상'],
  'theme.auto': ['Auto', '자동'],
  'theme.light': ['Light', '밝게'],
  'theme.dark': ['Dark', '어둡게'],
  'page.loading': ['Asking the monitor …', '모니터에 묻는 중 …'],
  'page.version': ['Sluice {version}', 'Sluice {version}'],

  'connection.live': ['Live', '실시간'],
  'connection.loading': ['Connecting', '연결 중'],
  'connection.lost': [
    'The monitor does not answer since {time}: what stands here is from before. It is tried again by itself.',
    '{time}부터 모니터가 응답하지 않습니다. 아래 내용은 그 이전 것이며, 자동으로 다시 시도합니다.',
  ],
  'cluster.stale': [
    '{cluster} cannot be read since {time} ({age}): its groups stand as they were then.',
    '{cluster} 클러스터를 {time}부터 읽을 수 없습니다({age}). 그룹은 그때 상태 그대로 표시됩니다.',
  ],
  'cluster.neverRead': ['{cluster} could not be read yet.', '{cluster} 클러스터를 아직 읽지 못했습니다.'],
  'cluster.starting': ['{cluster} is being read for the first time.', '{cluster} 클러스터를 처음 읽는 중입니다.'],
  'cluster.rights': ['Rights are missing on {cluster}:', '{cluster} 클러스터에 권한이 부족합니다:'],
  'cluster.leftOut': [
    'Groups of {cluster} beyond the cap, not watched: {count}',
    '{cluster}에서 상한을 넘어 감시하지 않는 그룹: {count}',
  ],
  'cluster.clusters': ['Clusters', '클러스터'],
  'cluster.all': ['All clusters', '모든 클러스터'],
  'cluster.sampled': ['Sampled {time}', '{time}에 표본 추출'],
  'cluster.ok': ['read', '정상'],
  'cluster.isStale': ['stale', '오래됨'],
  'cluster.isStarting': ['starting', '시작 중'],
  'cluster.facts': [
    'Brokers {brokers} · Topics {topics} · Partitions {partitions}',
    '브로커 {brokers} · 토픽 {topics} · 파티션 {partitions}',
  ],

  'status.OK': ['OK', '정상'],
  'status.WARNING': ['Warning', '경고'],
  'status.ERROR': ['Error', '오류'],
  'status.UNKNOWN': ['Unknown', '알 수 없음'],
  'status.WARN': ['Falls behind', '뒤처짐'],
  'status.STOP': ['Stopped', '멈춤'],
  'status.STALL': ['Stalled', '정체'],
  'status.REWIND': ['Rewound', '되감김'],
  'status.change': ['{group}: {before} to {status}', '{group}: {before}에서 {status}'],
  'status.otherChanges': ['Other groups that changed: {count}', '그 밖에 바뀐 그룹: {count}'],
  'status.since': ['since {time}', '{time}부터'],

  'overview.title': ['Consumer groups', '컨슈머 그룹'],
  'overview.search': ['Search groups', '그룹 검색'],
  'overview.filter': ['Filter by status', '상태로 거르기'],
  'overview.cluster': ['Cluster', '클러스터'],
  'overview.shown': ['{shown} of {total} groups', '그룹 {total}개 중 {shown}개'],
  'overview.none': ['No group has committed anything yet.', '아직 커밋한 그룹이 없습니다.'],
  'overview.noMatch': ['No group matches.', '일치하는 그룹이 없습니다.'],
  'overview.clear': ['Show all', '모두 보기'],
  'sort.by': ['Sorted by', '정렬'],
  'sort.worst': ['Worst first', '나쁜 순'],
  'sort.group': ['Name', '이름'],
  'sort.lag': ['Lag', '지연'],
  'sort.time': ['Time lag', '시간 지연'],
  'sort.members': ['Members', '멤버'],
  'sort.reverse': ['Reverse the order', '순서 뒤집기'],

  'column.status': ['Status', '상태'],
  'column.group': ['Group', '그룹'],
  'column.cluster': ['Cluster', '클러스터'],
  'column.lag': ['Lag', '지연'],
  'column.timeLag': ['Time lag', '시간 지연'],
  'column.trend': ['Trend', '추이'],
  'column.members': ['Members', '멤버'],
  'column.topic': ['Topic', '토픽'],
  'column.partition': ['Partition', '파티션'],
  'column.partitions': ['Partitions', '파티션'],
  'column.committed': ['Committed', '커밋'],
  'column.end': ['Log end', '로그 끝'],
  'column.start': ['Log start', '로그 시작'],
  'column.lastStable': ['Last stable', '마지막 안정 오프셋'],
  'column.read': ['Read', '읽기'],
  'column.written': ['Written', '쓰기'],
  'column.owner': ['Owner', '담당'],
  'column.size': ['Records', '레코드'],
  'column.readers': ['Groups', '그룹'],
  'column.leader': ['Leader', '리더'],
  'column.time': ['Time', '시각'],
  'column.client': ['Client', '클라이언트'],
  'column.host': ['Host', '호스트'],
  'column.assigned': ['Assigned', '할당'],
  'column.evidence': ['Why', '이유'],

  'trend.text': ['Lag went from {first} to {last}', '지연이 {first}에서 {last}(으)로 변함'],

  'topics.search': ['Search topics', '토픽 검색'],
  'topics.shown': ['{shown} of {total} topics', '토픽 {total}개 중 {shown}개'],
  'topic.title': ['Topic {topic}', '토픽 {topic}'],
  'topic.id': ['Topic id', '토픽 ID'],
  'topic.readers': ['Who reads it', '읽는 그룹'],
  'topic.noReaders': ['No group has commits on it.', '이 토픽에 커밋한 그룹이 없습니다.'],
  'topic.noLeader': ['none', '없음'],

  'partition.title': ['{topic}, partition {partition}', '{topic}, 파티션 {partition}'],
  'partition.window': ['What the rule saw', '규칙이 본 것'],
  'partition.seen': ['Samples that the rule rests on: {samples}', '규칙의 근거가 된 표본: {samples}'],
  'partition.samples': ['Samples, newest first', '표본, 최신순'],
  'partition.bySight': ['Seen by the rule', '규칙이 봄'],
  'partition.yes': ['yes', '예'],
  'partition.commits': ['Commits, newest first', '커밋, 최신순'],

  'compare.title': ['Two groups side by side', '두 그룹 비교'],
  'compare.first': ['Group', '그룹'],
  'compare.second': ['With', '비교 대상'],
  'compare.choose': ['Choose two groups.', '두 그룹을 고르십시오.'],
  'compare.figures': ['Now', '현재'],

  'group.title': ['Group {group}', '그룹 {group}'],
  'group.gone': [
    'There is no group {group} on {cluster}, or no longer.',
    '{cluster} 클러스터에 {group} 그룹이 없거나 사라졌습니다.',
  ],
  'group.why': ['Why', '이유'],
  'group.rule': ['Rule {rule}', '규칙 {rule}'],
  'group.state': ['State', '상태'],
  'group.forecast': ['Lag gone in', '지연 해소까지'],
  'group.noForecast': ['not at this pace', '이 속도로는 해소되지 않음'],
  'group.noLag': ['no lag', '지연 없음'],
  'group.readRate': ['Commits', '커밋 속도'],
  'group.writtenRate': ['Log ends', '로그 끝 속도'],
  'group.coordinator': ['Coordinator', '코디네이터'],
  'group.assignor': ['Assignor', '할당 방식'],
  'group.type': ['Protocol', '프로토콜'],
  'group.allowed': ['Allowed lag', '허용 지연'],
  'group.members': ['Members', '멤버'],
  'group.noMembers': ['No members: the group is empty.', '멤버가 없습니다. 빈 그룹입니다.'],
  'group.partitions': ['Partitions', '파티션'],
  'group.filterTopic': ['Filter partitions by topic', '토픽으로 파티션 거르기'],
  'group.bad': ['{bad} of {all} not OK', '{all}개 중 {bad}개 비정상'],
  'group.history': ['Over time', '시간에 따라'],
  'group.events': ['What happened', '있었던 일'],
  'group.noEvents': ['Nothing happened in this time.', '이 시간에는 아무 일도 없었습니다.'],
  'group.noHistory': [
    'The monitor keeps no history (store: none): the charts begin when this page was opened.',
    '모니터가 이력을 보관하지 않습니다(store: none). 차트는 이 페이지를 연 때부터 시작합니다.',
  ],
  'group.compare': ['Compare with another group', '다른 그룹과 비교'],

  'chart.lag': ['Lag in records', '지연 레코드 수'],
  'chart.total': ['all partitions', '모든 파티션'],
  'chart.max': ['worst partition', '가장 나쁜 파티션'],
  'chart.timeLag': ['Lag in time', '시간 지연'],
  'chart.oldest': ['first unread record', '읽지 않은 첫 레코드'],
  'chart.rates': ['Records a second', '초당 레코드'],
  'chart.readRate': ['Records committed a second', '초당 커밋된 레코드'],
  'chart.read': ['committed', '커밋됨'],
  'chart.written': ['written', '쓰임'],
  'chart.offsets': ['Offsets', '오프셋'],
  'chart.committed': ['committed offset', '커밋 오프셋'],
  'chart.end': ['log end offset', '로그 끝 오프셋'],
  'chart.lagLine': ['lag', '지연'],
  'chart.empty': ['No points in this time yet.', '이 시간에는 아직 점이 없습니다.'],
  'chart.summary': ['{title}, {from} to {to}. {lines}', '{title}, {from}부터 {to}까지. {lines}'],
  'chart.line': ['{label}: now {last}, at most {max}.', '{label}: 현재 {last}, 최대 {max}.'],

  'heat.title': ['Every partition', '모든 파티션'],
  'heat.help': [
    'A row a partition, time to the right. The stronger the colour, the more lag. Stripes: falls behind. Crosses: stopped, stalled or rewound. Arrow keys move, Enter opens.',
    '행은 파티션, 오른쪽으로 시간이 흐릅니다. 색이 강할수록 지연이 큽니다. 빗금은 뒤처짐, 격자는 멈춤·정체·되감김입니다. 화살표 키로 이동하고 Enter로 엽니다.',
  ],
  'heat.cell': [
    '{topic} {partition}, {time}: lag {lag}, {status}',
    '{topic} {partition}, {time}: 지연 {lag}, {status}',
  ],
  'heat.none': ['no lag', '지연 없음'],
  'heat.most': ['{lag} records', '레코드 {lag}개'],

  'mark.rebalance': ['Rebalance', '리밸런스'],
  'mark.status': ['Status', '상태'],
  'mark.topic-recreated': ['Topic recreated', '토픽 재생성'],
  'mark.log-end-regressed': ['Log cut back', '로그 잘림'],
  'mark.offsets-reset': ['Offsets reset', '오프셋 재설정'],

  'range.title': ['Time range', '시간 범위'],
  'range.from': ['From', '시작'],
  'range.to': ['To', '끝'],
  'range.other': ['Other …', '직접 지정 …'],
  'range.apply': ['Show', '보기'],
  'range.earlier': ['Earlier', '이전'],
  'range.later': ['Later', '이후'],

  'change.title': ['Change this group', '그룹 변경'],
  'change.hasMembers': [
    'The group has members, which would overwrite what is set: stop them first.',
    '멤버가 있는 그룹은 변경한 값을 멤버가 덮어씁니다. 먼저 멤버를 멈추십시오.',
  ],
  'change.reset': ['Reset offsets …', '오프셋 재설정 …'],
  'change.delete': ['Delete the group …', '그룹 삭제 …'],
  'change.token': ['Token', '토큰'],
  'change.to': ['To', '위치'],
  'change.to.earliest': ['the first records', '첫 레코드'],
  'change.to.latest': ['the ends of the logs', '로그 끝'],
  'change.to.offset': ['an offset', '오프셋'],
  'change.to.time': ['a time', '시각'],
  'change.to.shift': ['forward or back', '앞뒤로 이동'],
  'change.value.offset': ['Offset', '오프셋'],
  'change.value.time': ['Time', '시각'],
  'change.value.shift': ['By how many (-5 is back)', '이동량(-5는 뒤로)'],
  'change.allTopics': ['all topics', '모든 토픽'],
  'change.dryRun': ['Show what it would do', '미리 보기'],
  'change.shown': [
    'Nothing was changed yet. It would do this:',
    '아직 아무것도 바뀌지 않았습니다. 다음과 같이 바뀝니다:',
  ],
  'change.done': ['Done.', '완료되었습니다.'],
  'change.before': ['Before', '이전'],
  'change.after': ['After', '이후'],
  'change.lagBefore': ['Lag before', '이전 지연'],
  'change.lagAfter': ['Lag after', '이후 지연'],
  'change.doReset': ['Set these offsets', '이 오프셋으로 설정'],
  'change.doDelete': ['Delete the group and these offsets', '그룹과 이 오프셋 삭제'],

  'rule.no-commit': ['Nothing was committed.', '커밋한 것이 없습니다.'],
  'rule.within-allowed-lag': ['The lag is within what is allowed.', '지연이 허용 범위 안입니다.'],
  'rule.only-markers': [
    'What is left are markers of transactions, no records.',
    '남은 것은 레코드가 아니라 트랜잭션 표시뿐입니다.',
  ],
  'rule.window-too-short': ['Too few samples to judge by.', '판단하기에 표본이 너무 적습니다.'],
  'rule.open-transaction': ['An open transaction holds the group back.', '열린 트랜잭션이 그룹을 막고 있습니다.'],
  'rule.stopped': [
    'It commits nothing, has work, and has no owner.',
    '일이 있는데 커밋하지 않고 담당 멤버도 없습니다.',
  ],
  'rule.rewound': [
    'The committed offset went back and has not come up again.',
    '커밋 오프셋이 뒤로 갔고 아직 회복하지 못했습니다.',
  ],
  'rule.lag-was-allowed': ['The lag was within what is allowed.', '지연이 허용 범위 안이었습니다.'],
  'rule.stalled': [
    'It has an owner and work, and commits nothing new.',
    '담당 멤버와 일이 있는데 새로 커밋하지 않습니다.',
  ],
  'rule.falling-behind': ['It reads, and the lag rises.', '읽고는 있지만 지연이 늘고 있습니다.'],
  'rule.records-lost': ['Records were deleted before they were read.', '읽기 전에 레코드가 삭제되었습니다.'],
  'rule.catching-up': ['The lag falls.', '지연이 줄고 있습니다.'],
  'rule.keeping-pace': ['The lag neither rises nor falls.', '지연이 늘지도 줄지도 않습니다.'],
  'rule.lag-fell': ['The lag fell in the window.', '구간 안에서 지연이 줄었습니다.'],
} as const satisfies Readonly<Record<string, readonly [en: string, ko: string]>>

export type MessageKey = keyof typeof messages
export type Translate = (key: MessageKey, values?: Readonly<Record<string, string | number>>) => string

const places: Readonly<Record<Language, number>> = { en: 0, ko: 1 }

export function translator(language: Language): Translate {
  const place = places[language]
  return (key, values = {}) =>
    messages[key][place]!.replaceAll(/\{(\w+)\}/g, (whole, name: string) => String(values[name] ?? whole))
}

/** The first language of the reader's that the page speaks. */
export function languageFor(wanted: readonly string[]): Language {
  for (const one of wanted) {
    const [base] = one.toLowerCase().split('-')
    if (base === 'en' || base === 'ko') return base
  }
  return 'en'
}
