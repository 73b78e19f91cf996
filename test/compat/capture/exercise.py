"""Uses many APIs once with kafka-python: python3 exercise.py HOST:PORT. Prints its version."""
import sys
from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition, __version__
from kafka.admin import NewTopic

server = sys.argv[1]
admin = KafkaAdminClient(bootstrap_servers=server, client_id='vectors')
admin.create_topics([NewTopic('wire', 2, 1)])
producer = KafkaProducer(bootstrap_servers=server, client_id='vectors', transactional_id='wire')
producer.init_transactions()
producer.begin_transaction()
producer.send('wire', key=b'key', value=b'value', partition=0).get(30)
producer.commit_transaction()
producer.close()
consumer = KafkaConsumer('wire', bootstrap_servers=server, client_id='vectors', group_id='wire-group', auto_offset_reset='earliest', consumer_timeout_ms=5000, heartbeat_interval_ms=300)
next(iter(consumer))
consumer.commit()
consumer.committed(TopicPartition('wire', 0))
consumer.beginning_offsets([TopicPartition('wire', 0)])
consumer.offsets_for_times({TopicPartition('wire', 0): 1})
consumer.close()
for call in (
    lambda: admin.list_groups(),
    lambda: admin.describe_groups(['wire-group']),
    lambda: admin.describe_cluster(),
    lambda: admin.create_partitions({'wire': 3}),
    lambda: admin.delete_groups(['wire-group']),
    lambda: admin.delete_topics(['wire']),
):
    try:
        call()
    except Exception as error:
        print(repr(error), file=sys.stderr)
admin.close()
print(__version__)
