import Ingest
import ServiceRuntime

@main
struct Main {
  static func main() async {
    await ServiceRuntime.run("ingest", configuration: IngestConfiguration.self) { configuration, context in
      try await Ingest.build(configuration, context)
    }
  }
}
