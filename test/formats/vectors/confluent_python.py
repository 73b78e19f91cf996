"""Values as Confluent's Python serializers write them, with a schema registry.

    pip install 'confluent-kafka[avro,protobuf,json]==2.16.1' grpcio-tools
    python confluent_python.py --registry http://127.0.0.1:8081/apis/ccompat/v7 > confluent-python.json
    python confluent_python.py --registry … --bootstrap-servers 127.0.0.1:9092      produces them instead, to a topic each

Each case says what it must be read as; {"$long": "…"} is a number that a double cannot hold, {"$bytes": "…"} are bytes in hex.
"""
import argparse, datetime, decimal, importlib, json, pathlib, sys, tempfile, uuid
from confluent_kafka.schema_registry import Schema, SchemaReference, SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroSerializer
from confluent_kafka.schema_registry.json_schema import JSONSerializer
from confluent_kafka.schema_registry.protobuf import ProtobufSerializer
from confluent_kafka.serialization import MessageField, SerializationContext

arguments = argparse.ArgumentParser()
arguments.add_argument('--registry', required=True)
arguments.add_argument('--bootstrap-servers')
options = arguments.parse_args()
registry = SchemaRegistryClient({'url': options.registry})
cases = []


def add(topic, serializer, value, expected):
    context = SerializationContext(topic, MessageField.VALUE)
    cases.append({'topic': topic, 'bytes': serializer(value, context), 'expected': expected})


# --- Avro

order = {
    'type': 'record', 'name': 'Order', 'namespace': 'shop', 'fields': [
        {'name': 'id', 'type': 'long'},
        {'name': 'big', 'type': 'long'},
        {'name': 'least', 'type': {'type': 'long'}},
        {'name': 'small', 'type': 'int'},
        {'name': 'ratio', 'type': 'float'},
        {'name': 'exact', 'type': 'double'},
        {'name': 'paid', 'type': 'boolean'},
        {'name': 'note', 'type': ['null', 'string'], 'default': None},
        {'name': 'amount', 'type': {'type': 'bytes', 'logicalType': 'decimal', 'precision': 20, 'scale': 2}},
        {'name': 'refund', 'type': {'type': 'bytes', 'logicalType': 'decimal', 'precision': 9, 'scale': 4}},
        {'name': 'tax', 'type': {'type': 'fixed', 'name': 'Tax', 'size': 8, 'logicalType': 'decimal', 'precision': 12, 'scale': 3}},
        {'name': 'day', 'type': {'type': 'int', 'logicalType': 'date'}},
        {'name': 'millis', 'type': {'type': 'long', 'logicalType': 'timestamp-millis'}},
        {'name': 'micros', 'type': ['null', {'type': 'long', 'logicalType': 'timestamp-micros'}]},
        {'name': 'early', 'type': {'type': 'long', 'logicalType': 'timestamp-micros'}},
        {'name': 'local', 'type': {'type': 'long', 'logicalType': 'local-timestamp-millis'}},
        {'name': 'timeMillis', 'type': {'type': 'int', 'logicalType': 'time-millis'}},
        {'name': 'timeMicros', 'type': {'type': 'long', 'logicalType': 'time-micros'}},
        {'name': 'key', 'type': {'type': 'string', 'logicalType': 'uuid'}},
        {'name': 'status', 'type': {'type': 'enum', 'name': 'Status', 'symbols': ['NEW', 'DONE']}},
        {'name': 'tags', 'type': {'type': 'array', 'items': 'string'}},
        {'name': 'counts', 'type': {'type': 'map', 'values': 'long'}},
        {'name': 'raw', 'type': 'bytes'},
        {'name': 'hash', 'type': {'type': 'fixed', 'name': 'Hash', 'size': 4}},
        {'name': 'chain', 'type': ['null', {'type': 'record', 'name': 'Link', 'fields': [
            {'name': 'name', 'type': 'string'}, {'name': 'next', 'type': ['null', 'Link']}]}]},
    ]}
utc = datetime.timezone.utc
value = {
    'id': 7, 'big': 9007199254740993, 'least': -2 ** 63, 'small': -5, 'ratio': 0.5, 'exact': 0.1, 'paid': True, 'note': None,
    'amount': decimal.Decimal('123456789012345678.90'), 'refund': decimal.Decimal('-0.0005'), 'tax': decimal.Decimal('-19.001'),
    'day': datetime.date(2024, 2, 29), 'millis': datetime.datetime(2026, 1, 2, 3, 4, 5, 678000, utc),
    'micros': datetime.datetime(2026, 1, 2, 3, 4, 5, 678901, utc), 'early': datetime.datetime(1969, 12, 31, 23, 59, 59, 999999, utc),
    'local': datetime.datetime(2026, 1, 2, 3, 4, 5, 678000), 'timeMillis': datetime.time(23, 59, 58, 7000),
    'timeMicros': datetime.time(0, 0, 0, 7), 'key': '123e4567-e89b-12d3-a456-426614174000', 'status': 'DONE', 'tags': ['a', 'ü'],
    'counts': {'x': 1, '__proto__': 2 ** 60}, 'raw': b'\x00\xff', 'hash': b'\xde\xad\xbe\xef',
    'chain': {'name': 'one', 'next': {'name': 'two', 'next': None}},
}
expected = {
    'id': 7, 'big': {'$long': '9007199254740993'}, 'least': {'$long': '-9223372036854775808'}, 'small': -5, 'ratio': 0.5, 'exact': 0.1,
    'paid': True, 'note': None, 'amount': '123456789012345678.90', 'refund': '-0.0005', 'tax': '-19.001', 'day': '2024-02-29',
    'millis': '2026-01-02T03:04:05.678Z', 'micros': '2026-01-02T03:04:05.678901Z', 'early': '1969-12-31T23:59:59.999999Z',
    'local': '2026-01-02T03:04:05.678', 'timeMillis': '23:59:58.007', 'timeMicros': '00:00:00.000007',
    'key': '123e4567-e89b-12d3-a456-426614174000', 'status': 'DONE', 'tags': ['a', 'ü'],
    'counts': {'x': 1, '__proto__': {'$long': str(2 ** 60)}}, 'raw': {'$bytes': '00ff'}, 'hash': {'$bytes': 'deadbeef'},
    'chain': {'name': 'one', 'next': {'name': 'two', 'next': None}},
}
add('avro-order', AvroSerializer(registry, json.dumps(order)), value, expected)

customer = {'type': 'record', 'name': 'Customer', 'namespace': 'shop', 'fields': [{'name': 'name', 'type': 'string'}]}
registry.register_schema('avro-customer', Schema(json.dumps(customer), 'AVRO'))
visit = {'type': 'record', 'name': 'Visit', 'namespace': 'shop', 'fields': [
    {'name': 'who', 'type': 'shop.Customer'}, {'name': 'before', 'type': ['null', 'shop.Customer']}]}
reference = [SchemaReference('shop.Customer', 'avro-customer', 1)]
add('avro-visit', AvroSerializer(registry, Schema(json.dumps(visit), 'AVRO', reference)),
    {'who': {'name': 'Ada'}, 'before': None}, {'who': {'name': 'Ada'}, 'before': None})
either = [{'type': 'record', 'name': 'Opened', 'namespace': 'shop', 'fields': [{'name': 'at', 'type': 'int'}]},
          {'type': 'record', 'name': 'Closed', 'namespace': 'shop', 'fields': [{'name': 'why', 'type': 'string'}]}]
add('avro-either', AvroSerializer(registry, json.dumps(either)), ('shop.Closed', {'why': 'late'}), {'shop.Closed': {'why': 'late'}})
add('avro-text', AvroSerializer(registry, '"string"'), 'just text', 'just text')

# --- Protobuf

money_proto = '''syntax = "proto3";
package shop;
message Money { string currency = 1; int64 cents = 2; }
'''
purchase_proto = '''syntax = "proto3";
package shop;
import "shop/money.proto";
import "google/protobuf/timestamp.proto";
import "google/protobuf/duration.proto";
import "google/protobuf/wrappers.proto";
import "google/protobuf/struct.proto";
enum Kind { NONE = 0; CARD = 1; }
message Header { string trace = 1; }
message Purchase {
  message Item { string sku = 1; uint32 count = 2; message Part { bool spare = 1; } }
  int64 id = 1;
  uint64 huge = 2;
  sint64 low = 3;
  int32 zero = 4;
  Kind kind = 5;
  bytes raw = 6;
  Money total = 7;
  repeated Item items = 8;
  map<string, int64> counts = 9;
  oneof payment { string card = 10; string cash = 11; }
  optional string note = 12;
  google.protobuf.Timestamp at = 13;
  google.protobuf.Duration took = 14;
  google.protobuf.Int64Value maybe = 15;
  google.protobuf.Struct extra = 16;
  Purchase previous = 17;
  double ratio = 18;
  repeated int32 packed = 19;
  map<int64, string> by_number = 20;
  map<bool, Kind> by_flag = 21;
  Money missing = 22;
}
'''
from grpc_tools import protoc
import grpc_tools

folder = pathlib.Path(tempfile.mkdtemp())
(folder / 'shop').mkdir()
(folder / 'shop' / 'money.proto').write_text(money_proto)
(folder / 'shop' / 'purchase.proto').write_text(purchase_proto)
google = pathlib.Path(grpc_tools.__file__).parent / '_proto'
assert protoc.main(['protoc', f'-I{folder}', f'-I{google}', f'--python_out={folder}', 'shop/money.proto', 'shop/purchase.proto']) == 0
sys.path.insert(0, str(folder))
purchases = importlib.import_module('shop.purchase_pb2')

settings = {'use.deprecated.format': False}
purchase = purchases.Purchase(id=7, huge=2 ** 64 - 1, low=-2 ** 63, kind=purchases.CARD, raw=b'\x00\xff', cash='yes', ratio=0.5, packed=[1, -2, 300])
purchase.total.currency = 'EUR'
purchase.total.cents = 9007199254740993
purchase.items.add(sku='a', count=2)
purchase.items.add()
purchase.counts['x'] = 1
purchase.by_number[-5] = 'minus five'
purchase.by_flag[True] = purchases.CARD
purchase.at.seconds, purchase.at.nanos = 1767323045, 678000000
purchase.took.seconds, purchase.took.nanos = 1, 500000000
purchase.maybe.value = 0
purchase.extra.update({'a': [1, 'x', None, {'b': True}]})
purchase.previous.id = 6
empty = {'zero': 0, 'kind': 'NONE', 'raw': {'$bytes': ''}, 'items': [], 'counts': {}, 'huge': 0, 'low': 0, 'ratio': 0, 'packed': [], 'by_number': {}, 'by_flag': {}}
add('protobuf-purchase', ProtobufSerializer(purchases.Purchase, registry, settings), purchase, {
    'id': 7, 'huge': {'$long': str(2 ** 64 - 1)}, 'low': {'$long': str(-2 ** 63)}, 'zero': 0, 'kind': 'CARD', 'raw': {'$bytes': '00ff'},
    'total': {'currency': 'EUR', 'cents': {'$long': '9007199254740993'}}, 'items': [{'sku': 'a', 'count': 2}, {'sku': '', 'count': 0}],
    'counts': {'x': 1}, 'cash': 'yes', 'at': '2026-01-02T03:04:05.678Z', 'took': '1.5s', 'maybe': 0,
    'extra': {'a': [1, 'x', None, {'b': True}]}, 'previous': {**empty, 'id': 6}, 'ratio': 0.5, 'packed': [1, -2, 300],
    'by_number': {'-5': 'minus five'}, 'by_flag': {'true': 'CARD'}})
add('protobuf-part', ProtobufSerializer(purchases.Purchase.Item.Part, registry, settings), purchases.Purchase.Item.Part(spare=True), {'spare': True})
add('protobuf-header', ProtobufSerializer(purchases.Header, registry, settings), purchases.Header(trace='t'), {'trace': 't'})

# --- JSON Schema

address = {'$schema': 'http://json-schema.org/draft-07/schema#', '$id': 'http://shop/address.json', 'title': 'Address', 'type': 'object',
           'properties': {'city': {'type': 'string'}}, 'required': ['city']}
registry.register_schema('json-address', Schema(json.dumps(address), 'JSON'))
person = {'$schema': 'http://json-schema.org/draft-07/schema#', 'title': 'Person', 'type': 'object', 'required': ['name'],
          'properties': {'name': {'type': 'string'}, 'id': {'type': 'integer'}, 'home': {'$ref': 'http://shop/address.json'}}}
home = [SchemaReference('http://shop/address.json', 'json-address', 1)]
add('json-person', JSONSerializer(Schema(json.dumps(person), 'JSON', home), registry), {'name': 'Ada', 'id': 9007199254740993, 'home': {'city': 'London'}},
    {'name': 'Ada', 'id': {'$long': '9007199254740993'}, 'home': {'city': 'London'}})
newer = {'$schema': 'https://json-schema.org/draft/2020-12/schema', 'title': 'Pair', 'type': 'object',
         'properties': {'pair': {'type': 'array', 'prefixItems': [{'type': 'string'}, {'type': 'number'}]}}}
add('json-pair', JSONSerializer(json.dumps(newer), registry), {'pair': ['x', 1.5]}, {'pair': ['x', 1.5]})

if options.bootstrap_servers:
    from confluent_kafka import Producer
    producer = Producer({'bootstrap.servers': options.bootstrap_servers})
    for case in cases:
        producer.produce(case['topic'], case['bytes'])
    assert producer.flush(30) == 0
    for case in cases:
        print(json.dumps({'topic': case['topic'], 'expected': case['expected']}, ensure_ascii=False))
else:
    subjects, schemas = {}, {}
    for subject in registry.get_subjects():
        for version in registry.get_versions(subject):
            found = registry.get_version(subject, version)
            references = [{'name': one.name, 'subject': one.subject, 'version': one.version} for one in found.schema.references or []]
            described = {'schema': found.schema.schema_str, 'schemaType': found.schema.schema_type, 'references': references}
            subjects.setdefault(subject, {})[version] = described
            schemas[found.schema_id] = described
    print(json.dumps({
        'origin': 'confluent_python.py: confluent-kafka 2.16.1 (Python) and fastavro 1.13.1, schemas from Apicurio Registry 3.0.9',
        'subjects': subjects, 'schemas': schemas,
        'protoTexts': {'shop/money.proto': money_proto, 'shop/purchase.proto': purchase_proto},
        'values': [{**case, 'bytes': case['bytes'].hex()} for case in cases],
    }, ensure_ascii=False, indent=1))
