/** Kafka's names of the operations in a bit field of authorised operations (org.apache.kafka.common.acl.AclOperation: the bit is the code). */

const names: readonly (readonly [code: number, name: string])[] = [
  [3, 'READ'],
  [4, 'WRITE'],
  [5, 'CREATE'],
  [6, 'DELETE'],
  [7, 'ALTER'],
  [8, 'DESCRIBE'],
  [9, 'CLUSTER_ACTION'],
  [10, 'DESCRIBE_CONFIGS'],
  [11, 'ALTER_CONFIGS'],
  [12, 'IDEMPOTENT_WRITE'],
  [13, 'CREATE_TOKENS'],
  [14, 'DESCRIBE_TOKENS'],
]

const NOT_TOLD = -0x8000_0000

/** undefined if the broker did not say. */
export function operationNames(bits: number): readonly string[] | undefined {
  return bits === NOT_TOLD ? undefined : names.flatMap(([code, name]) => ((bits >> code) & 1 ? [name] : []))
}
