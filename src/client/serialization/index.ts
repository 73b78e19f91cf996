/** Deserializers and serializers: the public surface. */
export {
  RecordDeserializationError,
  type Deserializer,
  type RecordContext,
  type RecordPart,
} from '../../protocol/records/deserialized-record.ts'
export { deserializers, type DeserializerName } from './deserializers.ts'
export { serializers, type Serializer, type SerializerName } from './serializers.ts'
