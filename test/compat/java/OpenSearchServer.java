import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import org.opensearch.common.settings.Settings;
import org.opensearch.env.Environment;
import org.opensearch.node.Node;
import org.opensearch.plugins.Plugin;

/** One node of OpenSearch on loopback: folder, port, then settings as name=value. */
public class OpenSearchServer extends Node {
  OpenSearchServer(Environment environment, List<Class<? extends Plugin>> plugins) {
    super(environment, plugins, false);
  }

  public static void main(String[] arguments) throws Exception {
    Path home = Path.of(arguments[0]).toAbsolutePath();
    Files.createDirectories(home.resolve("config"));
    Settings.Builder settings = Settings.builder()
        .put("path.home", home.toString())
        .put("cluster.name", "test").put("node.name", "n1").put("discovery.type", "single-node")
        .put("network.host", "127.0.0.1").put("http.port", arguments[1]).put("transport.port", "0")
        .put("transport.type", "netty4").put("http.type", "netty4")
        .put("cluster.routing.allocation.disk.threshold_enabled", false);
    for (int at = 2; at < arguments.length; at++) {
      String[] setting = arguments[at].split("=", 2);
      settings.put(setting[0], setting[1]);
    }
    Environment environment = new Environment(settings.build(), home.resolve("config"));
    Node node = new OpenSearchServer(environment, List.of(
        org.opensearch.transport.Netty4Plugin.class, org.opensearch.analysis.common.CommonAnalysisPlugin.class));
    node.start();
    new CountDownLatch(1).await();
  }
}
