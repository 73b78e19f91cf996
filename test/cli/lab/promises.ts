/** What the chapters of the lab promise, in small numbers: over the embedded broker and over Apache Kafka alike. */
import type { Row } from './run-experiment.ts'

/** produced, handled, repeated, lost, committed of each way. */
export const tables: Record<string, Row[]> = {
  'simple-consumer': [[8, 8, 0, 0, 8]],
  producer: [
    [8, 8, 0, 0, undefined],
    [8, 8, 0, 0, undefined],
    [8, 0, 0, 8, undefined],
  ],
  'producer-key-value': [[8, 8, 0, 0, undefined]],
  'producer-exact-partition': [[8, 8, 0, 0, undefined]],
  console: [[3, 3, 0, 0, 3]],
  'auto-commit': [
    [8, 16, 8, 0, 8],
    [8, 2, 0, 6, 8],
  ],
  'sync-commit': [
    [8, 10, 2, 0, 8],
    [8, 6, 0, 2, 8],
  ],
  'sync-commit-record': [[8, 9, 1, 0, 8]],
  'commit-failed': [
    [8, 16, 8, 0, 8],
    [8, 8, 0, 0, 8],
  ],
  'async-commit': [
    [8, 12, 4, 0, 8],
    [8, 8, 0, 0, 8],
  ],
  'async-then-sync': [
    [8, 12, 4, 0, 8],
    [8, 8, 0, 0, 8],
  ],
  rebalance: [
    [16, 16, 0, 0, 16],
    [16, 16, 0, 0, 16],
    [16, 16, 0, 0, 16],
    [16, 16, 0, 0, 16],
  ],
  'rebalance-listener': [
    [8, 16, 8, 0, 0],
    [8, 8, 0, 0, 8],
  ],
  wakeup: [
    [8, 8, 0, 0, 8],
    [8, 10, 2, 0, 8],
  ],
  'multi-thread': [[8, 8, 0, 0, 8]],
  'save-metric': [[8, 8, 0, 0, 8]],
  lag: [[80, 90, 10, 0, 80]],
  partitions: [[16, 16, 0, 0, undefined]],
  versions: [[1, 1, 0, 0, undefined]],
  'exactly-once': [
    [8, 10, 2, 0, 8],
    [8, 8, 0, 0, 8],
  ],
}

/** What else must be read in what an experiment prints. */
export const lines: Record<string, RegExp[]> = {
  'simple-consumer': [/Topic: simple-\w+, Partition: 0, Offset: 7, Key: null, Value: record 7/],
  'producer-key-value': [/^Key apple: partition \d, values in the order 0 4$/m],
  'producer-exact-partition': [/-0 ends at 0\.[^]*-1 ends at 8\.[^]*-2 ends at 0\./],
  console: [/>> typed 1 \(partition 0, offset 0\)[^]*>> typed 3/],
  'commit-failed': [/CommitFailedError: /],
  'async-commit': [/commitAsync\(8\) is acknowledged[^]*the held commit arrives: 4/],
  rebalance: [/^ +4 {2}range +\d+ +\d+ +4$/m, /^ +4 {2}cooperative-sticky +\d+ +\d+ +2$/m],
  'rebalance-listener': [/onPartitionsRevoked: 0, 1/],
  wakeup: [/6 records are handled; process \d+ gets SIGTERM\.[^]*WakeupError[^]*exit code 0/],
  'multi-thread': [
    /^consumer-thread-1 >> a\nconsumer-thread-2 >> b\nconsumer-thread-0 >> c\n(?:consumer-thread-\d >> \w\n){5}Bye\n(?:consumer-thread-\d trigger WakeupException\n){3}/m,
  ],
  lag: [
    /takes what there is:\nThe monitor: OK, lag \d+\.[^]*slowed down[^]*\nThe monitor: WARNING, lag \d+\. .+[^]*stopped:\nThe monitor: ERROR, lag \d+\. .+[^]*started again[^]*\nThe monitor: OK, lag \d+\..*\nAll \d+ records are read: 0 repeated, 0 lost\./,
    /records-lag-max \d+[^]*all +- +- +30\n[^]*SIGKILL[^]*all +- +- +70\n[^]*all +- +- +0\n/,
  ],
  partitions: [/key-\d +\d +\d +moved/, /refused: .*INVALID_PARTITIONS/],
  versions: [/Fetch +4 to 18 +4 to 18 +18/],
  'exactly-once': [/the store says: go on at 4/],
}
