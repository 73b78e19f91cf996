"""Produces the same records with kafka-python, one topic a compression: python3 produce.py HOST:PORT LINES-FILE. Prints its version."""
import sys
from kafka import KafkaProducer, __version__

for codec in ['none', 'gzip', 'snappy', 'lz4', 'zstd']:
    producer = KafkaProducer(
        bootstrap_servers=sys.argv[1],
        compression_type=None if codec == 'none' else codec,
        linger_ms=300,
        batch_size=900_000,
    )
    for number, line in enumerate(open(sys.argv[2], encoding='utf8')):
        key, value = line.rstrip('\n').split('\t')
        headers = [('h', b'v'), ('ü', b'')] if number % 100 == 0 else []
        producer.send('python-' + codec, key=key.encode(), value=value.encode(), headers=headers, partition=0, timestamp_ms=1_700_000_000_000 + number)
    producer.flush()
    producer.close()
print(__version__)
