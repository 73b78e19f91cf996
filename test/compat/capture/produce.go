// Produces the same records with franz-go, one topic a compression: produce HOST:PORT LINES-FILE. Prints its version.
package main

import (
	"context"
	"fmt"
	"os"
	"runtime/debug"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

func main() {
	lines, err := os.ReadFile(os.Args[2])
	must(err)
	codecs := map[string]kgo.CompressionCodec{
		"none": kgo.NoCompression(), "gzip": kgo.GzipCompression(), "snappy": kgo.SnappyCompression(),
		"lz4": kgo.Lz4Compression(), "zstd": kgo.ZstdCompression(),
	}
	for name, codec := range codecs {
		client, err := kgo.NewClient(kgo.SeedBrokers(os.Args[1]), kgo.ProducerBatchCompression(codec),
			kgo.ProducerLinger(300*time.Millisecond), kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.AllowAutoTopicCreation())
		must(err)
		var records []*kgo.Record
		for number, line := range strings.Split(strings.TrimSuffix(string(lines), "\n"), "\n") {
			key, value, _ := strings.Cut(line, "\t")
			record := &kgo.Record{Topic: "franz-" + name, Key: []byte(key), Value: []byte(value), Timestamp: time.UnixMilli(1_700_000_000_000 + int64(number))}
			if number%100 == 0 {
				record.Headers = []kgo.RecordHeader{{Key: "h", Value: []byte("v")}, {Key: "ü", Value: nil}}
			}
			records = append(records, record)
		}
		must(client.ProduceSync(context.Background(), records...).FirstErr())
		client.Close()
	}
	info, _ := debug.ReadBuildInfo()
	for _, module := range info.Deps {
		if module.Path == "github.com/twmb/franz-go" {
			fmt.Println(module.Version)
		}
	}
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}
