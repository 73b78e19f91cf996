import java.io.IOException;
import java.io.PrintWriter;
import java.lang.reflect.Method;
import java.lang.reflect.ParameterizedType;
import java.lang.reflect.Type;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.HexFormat;
import java.util.List;
import org.apache.kafka.common.Uuid;
import org.apache.kafka.common.compress.Compression;
import org.apache.kafka.common.message.RequestHeaderData;
import org.apache.kafka.common.message.ResponseHeaderData;
import org.apache.kafka.common.protocol.ApiMessage;
import org.apache.kafka.common.message.ApiMessageType;
import org.apache.kafka.common.protocol.ByteBufferAccessor;
import org.apache.kafka.common.protocol.Message;
import org.apache.kafka.common.protocol.ObjectSerializationCache;
import org.apache.kafka.common.protocol.types.BoundField;
import org.apache.kafka.common.protocol.types.Field;
import org.apache.kafka.common.protocol.types.Schema;
import org.apache.kafka.common.protocol.types.TaggedFields;
import org.apache.kafka.common.record.internal.MemoryRecords;
import org.apache.kafka.common.record.internal.SimpleRecord;
import org.apache.kafka.common.utils.AppInfoParser;

/**
 * Writes test/protocol/vectors/*.json: every version of every API, in both directions, as Apache Kafka's own classes serialise it.
 *
 *   java -cp "$HOME/.cache/sluice/kafka-4.3.1/libs/*" test/compat/java/ProtocolVectors.java test/protocol/vectors 0 1 2 …
 *
 * The arguments are the folder and the API keys. Each case holds the whole frame (size, header, body) in hex and the values that were
 * set, under the names of the setters. Byte values are hex. "full" sets every field of the version to a value that is not its default,
 * "least" to what takes the fewest bytes (null, empty, 0), "extreme" to the ends of the types' ranges (64-bit numbers: of what a
 * JavaScript number holds exactly). Which fields a version has is asked of the schema that Kafka generates beside each class.
 */
public class ProtocolVectors {
    private static final String CLIENT_ID = "vectors";
    private static final int CORRELATION_ID = 0x01020304;
    private static final List<String> STORED = List.of(
        "org.apache.kafka.common.message.ConsumerProtocolSubscription",
        "org.apache.kafka.common.message.ConsumerProtocolAssignment",
        "org.apache.kafka.coordinator.group.generated.OffsetCommitKey",
        "org.apache.kafka.coordinator.group.generated.LegacyOffsetCommitKey",
        "org.apache.kafka.coordinator.group.generated.OffsetCommitValue",
        "org.apache.kafka.coordinator.group.generated.GroupMetadataKey",
        "org.apache.kafka.coordinator.group.generated.GroupMetadataValue",
        "org.apache.kafka.coordinator.group.generated.ConsumerGroupMetadataKey",
        "org.apache.kafka.coordinator.group.generated.ConsumerGroupMemberMetadataKey",
        "org.apache.kafka.coordinator.group.generated.ConsumerGroupMemberMetadataValue",
        "org.apache.kafka.coordinator.group.generated.ConsumerGroupCurrentMemberAssignmentKey",
        "org.apache.kafka.coordinator.group.generated.ConsumerGroupCurrentMemberAssignmentValue",
        "org.apache.kafka.coordinator.transaction.generated.TransactionLogKey",
        "org.apache.kafka.coordinator.transaction.generated.TransactionLogValue");

    private final String variant;
    private int counter = 0;

    private ProtocolVectors(String variant) {
        this.variant = variant;
    }

    public static void main(String[] arguments) throws Exception {
        Path folder = Path.of(arguments[0]);
        Files.createDirectories(folder.resolve("stored"));
        for (String key : Arrays.asList(arguments).subList(1, arguments.length)) writeApi(folder, Short.parseShort(key));
        for (String name : STORED) writeStored(folder.resolve("stored"), Class.forName(name));
    }

    private static void writeApi(Path folder, short key) throws Exception {
        ApiMessageType type = ApiMessageType.fromApiKey(key);
        List<String> cases = new ArrayList<>();
        for (boolean isRequest : new boolean[] {true, false}) {
            ApiMessage sample = isRequest ? type.newRequest() : type.newResponse();
            for (short version = sample.lowestSupportedVersion(); version <= sample.highestSupportedVersion(); version++) {
                for (String variant : variants(version, sample)) {
                    ApiMessage message = isRequest ? type.newRequest() : type.newResponse();
                    String value = new ProtocolVectors(variant).fill(message, schema(message.getClass(), version), version);
                    Message header = isRequest
                        ? new RequestHeaderData().setRequestApiKey(key).setRequestApiVersion(version).setClientId(CLIENT_ID).setCorrelationId(CORRELATION_ID)
                        : new ResponseHeaderData().setCorrelationId(CORRELATION_ID);
                    short headerVersion = isRequest ? type.requestHeaderVersion(version) : type.responseHeaderVersion(version);
                    byte[] head = bytes(header, headerVersion);
                    byte[] body = bytes(message, version);
                    ByteBuffer frame = ByteBuffer.allocate(4 + head.length + body.length).putInt(head.length + body.length).put(head).put(body);
                    cases.add(oneCase(version, isRequest ? "request" : "response", variant, frame.array(), value));
                }
            }
        }
        String stem = String.format("%02d-%s", key, type.name.replaceAll("([a-z])([A-Z])", "$1-$2").toLowerCase());
        write(folder.resolve(stem + ".json"), type.name, cases);
    }

    private static void writeStored(Path folder, Class<?> type) throws Exception {
        List<String> cases = new ArrayList<>();
        Message sample = (Message) type.getConstructor().newInstance();
        for (short version = sample.lowestSupportedVersion(); version <= sample.highestSupportedVersion(); version++) {
            // Coordinator records carry the record type where others have a version.
            for (String variant : List.of("full", "least", "extreme")) {
                Message message = (Message) type.getConstructor().newInstance();
                String value = new ProtocolVectors(variant).fill(message, schema(type, version), version);
                byte[] body = bytes(message, version);
                short prefix = type.getSimpleName().endsWith("Key") ? keyType(type) : version;
                ByteBuffer stored = ByteBuffer.allocate(2 + body.length).putShort(prefix).put(body);
                cases.add(oneCase(prefix, "stored", variant, stored.array(), value));
            }
        }
        write(folder.resolve(type.getSimpleName() + ".json"), type.getSimpleName(), cases);
    }

    private static short keyType(Class<?> type) throws Exception {
        return (short) ((ApiMessage) type.getConstructor().newInstance()).apiKey();
    }

    private static List<String> variants(short version, ApiMessage sample) {
        return version == sample.highestSupportedVersion() || version == sample.lowestSupportedVersion()
            ? List.of("full", "least", "extreme")
            : List.of("full", "least");
    }

    private static void write(Path file, String name, List<String> cases) throws IOException {
        try (PrintWriter out = new PrintWriter(file.toFile(), "UTF-8")) {
            out.print("{\n\"origin\": \"Apache Kafka " + AppInfoParser.getVersion() + ", its Java class of " + name
                + ", serialised by test/compat/java/ProtocolVectors.java\",\n\"cases\": [\n");
            out.print(String.join(",\n", cases));
            out.print("\n]\n}\n");
        }
    }

    private static String oneCase(short version, String direction, String variant, byte[] bytes, String value) {
        return "{\"version\":" + version + ",\"direction\":\"" + direction + "\",\"variant\":\"" + variant
            + "\",\"hex\":\"" + HexFormat.of().formatHex(bytes) + "\",\"value\":" + value + "}";
    }

    private static byte[] bytes(Message message, short version) {
        ObjectSerializationCache cache = new ObjectSerializationCache();
        ByteBuffer buffer = ByteBuffer.allocate(message.size(cache, version));
        message.write(new ByteBufferAccessor(buffer), cache, version);
        return buffer.array();
    }

    private static Schema schema(Class<?> type, short version) throws Exception {
        return ((Schema[]) type.getField("SCHEMAS").get(null))[version];
    }

    /** Sets every field of the schema and returns what was set as JSON. */
    private String fill(Object message, Schema schema, short version) throws Exception {
        List<String> members = new ArrayList<>();
        for (BoundField bound : schema.fields()) {
            if (bound.def.type instanceof TaggedFields tagged) {
                for (Field field : tagged.fields().values()) members.add(set(message, field, version));
            } else {
                members.add(set(message, bound.def, version));
            }
        }
        return "{" + String.join(",", members) + "}";
    }

    private String set(Object message, Field field, short version) throws Exception {
        String wanted = "set" + field.name.replace("_", "");
        for (Method setter : message.getClass().getMethods()) {
            if (!setter.getName().equalsIgnoreCase(wanted)) continue;
            Made made = make(setter.getParameterTypes()[0], setter.getGenericParameterTypes()[0], field.type, version);
            setter.invoke(message, made.value);
            String name = setter.getName().substring(3);
            return "\"" + Character.toLowerCase(name.charAt(0)) + name.substring(1) + "\":" + made.json;
        }
        throw new IllegalStateException("no setter " + wanted + " in " + message.getClass());
    }

    private record Made(Object value, String json) { }

    private Made make(Class<?> type, Type generic, org.apache.kafka.common.protocol.types.Type schema, short version) throws Exception {
        boolean isLeast = variant.equals("least");
        if (isLeast && schema.isNullable() && !type.isPrimitive()) return new Made(null, "null");
        if (type == boolean.class) return new Made(!isLeast, isLeast ? "false" : "true");
        if (type == byte.class) return number(number(Byte.MIN_VALUE, Byte.MAX_VALUE), byte.class);
        if (type == short.class) return number(number(Short.MIN_VALUE, Short.MAX_VALUE), short.class);
        if (type == int.class && schema == org.apache.kafka.common.protocol.types.Type.UINT16) return number(number(0, 0xffff), int.class);
        if (type == int.class) return number(number(Integer.MIN_VALUE, Integer.MAX_VALUE), int.class);
        if (type == long.class && schema == org.apache.kafka.common.protocol.types.Type.UNSIGNED_INT32) return number(number(0, 0xffffffffL), long.class);
        if (type == long.class) return number(number(-(1L << 53) + 1, (1L << 53) - 1), long.class);
        if (type == double.class) return new Made(isLeast ? 0.0 : ++counter + 0.25, isLeast ? "0" : counter + ".25");
        if (type == String.class) return text();
        if (type == Uuid.class) return uuid();
        if (type == byte[].class) return new Made(byteValue(), hex(byteValue()));
        if (type == ByteBuffer.class) return new Made(ByteBuffer.wrap(byteValue()), hex(byteValue()));
        if (type.getSimpleName().endsWith("BaseRecords")) return records();
        if (Collection.class.isAssignableFrom(type)) return collection(type, generic, schema, version);
        Object struct = type.getConstructor().newInstance();
        return new Made(struct, fill(struct, (Schema) schema, version));
    }

    @SuppressWarnings("unchecked")
    private Made collection(Class<?> type, Type generic, org.apache.kafka.common.protocol.types.Type schema, short version) throws Exception {
        Collection<Object> items = (Collection<Object>) (type == List.class ? new ArrayList<>() : type.getConstructor().newInstance());
        Type parameterized = generic instanceof ParameterizedType ? generic : type.getGenericSuperclass();
        Class<?> item = (Class<?>) ((ParameterizedType) parameterized).getActualTypeArguments()[0];
        Class<?> primitive = item == Integer.class ? int.class : item == Long.class ? long.class : item == Short.class ? short.class : item == Byte.class ? byte.class : item;
        List<String> json = new ArrayList<>();
        int size = variant.equals("least") ? 0 : variant.equals("full") ? 2 : 1;
        for (int index = 0; index < size; index++) {
            Made made = make(primitive, item, schema.arrayElementType().orElseThrow(), version);
            items.add(made.value);
            json.add(made.json);
        }
        return new Made(items, "[" + String.join(",", json) + "]");
    }

    private long number(long least, long most) {
        if (variant.equals("least")) return 0;
        counter++;
        if (variant.equals("extreme")) return counter % 2 == 0 ? most : least;
        return counter;
    }

    private Made number(long value, Class<?> type) {
        Object boxed = type == byte.class ? (Object) (byte) value : type == short.class ? (Object) (short) value : type == int.class ? (Object) (int) value : value;
        return new Made(boxed, Long.toString(value));
    }

    private Made text() {
        if (variant.equals("least")) return new Made("", "\"\"");
        String text = "text-" + ++counter + "-ü€𝄞" + (variant.equals("extreme") ? "x".repeat(200) : "");
        return new Made(text, "\"" + text + "\"");
    }

    private Made uuid() {
        Uuid uuid = variant.equals("least") ? Uuid.ZERO_UUID : variant.equals("extreme") ? new Uuid(-1L, -1L) : new Uuid(0x0102030405060708L, ++counter);
        return new Made(uuid, "\"" + uuid + "\"");
    }

    private byte[] byteValue() {
        if (variant.equals("least")) return new byte[0];
        byte[] bytes = new byte[variant.equals("extreme") ? 300 : 3];
        for (int index = 0; index < bytes.length; index++) bytes[index] = (byte) (0xfe + index);
        return bytes;
    }

    private Made records() {
        MemoryRecords records = MemoryRecords.withRecords(Compression.NONE, new SimpleRecord(1_700_000_000_000L, "key".getBytes(), "value".getBytes()));
        byte[] bytes = new byte[records.sizeInBytes()];
        records.buffer().duplicate().get(bytes);
        return new Made(records, hex(bytes));
    }

    private static String hex(byte[] bytes) {
        return "\"" + HexFormat.of().formatHex(bytes) + "\"";
    }
}
