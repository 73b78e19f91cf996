import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.concurrent.CountDownLatch;
import org.elasticsearch.common.logging.LogConfigurator;
import org.elasticsearch.common.settings.Settings;
import org.elasticsearch.env.Environment;
import org.elasticsearch.node.Node;
import org.elasticsearch.plugins.PluginsLoader;

/** One node of Elasticsearch 9 on loopback: folder (with modules/transport-netty4 in it), port, then settings as name=value. */
public class ElasticsearchServer {
  public static void main(String[] arguments) throws Exception {
    Path home = Path.of(arguments[0]).toAbsolutePath();
    Files.createDirectories(home.resolve("config"));
    Files.createDirectories(home.resolve("plugins"));
    LogConfigurator.configureESLogging();
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
    PluginsLoader plugins = PluginsLoader.createPluginsLoader(
        PluginsLoader.loadModulesBundles(home.resolve("modules")),
        PluginsLoader.loadPluginsBundles(home.resolve("plugins")), Map.of(), false);
    Node node = new Node(environment, plugins);
    node.start();
    new CountDownLatch(1).await();
  }
}
