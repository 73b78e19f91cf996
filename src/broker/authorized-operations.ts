/**
 * What a client may do, as bit fields of Kafka's ACL operations. Everybody may do everything here, as in a Kafka without an authorizer;
 * asked or not makes the difference between that and "not said".
 */
const NOT_ASKED = -2147483648

/** READ, WRITE, CREATE, DELETE, ALTER, DESCRIBE, DESCRIBE_CONFIGS, ALTER_CONFIGS. */
export function authorizedTopicOperations(asked: boolean): number {
  return asked ? 3576 : NOT_ASKED
}

/** CREATE, ALTER, DESCRIBE, CLUSTER_ACTION, DESCRIBE_CONFIGS, ALTER_CONFIGS, IDEMPOTENT_WRITE. */
export function authorizedClusterOperations(asked: boolean): number {
  return asked ? 8096 : NOT_ASKED
}
