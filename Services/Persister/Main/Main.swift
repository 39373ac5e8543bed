import Persister
import ServiceRuntime

@main
struct Main {
  static func main() async {
    await ServiceRuntime.run("persister", configuration: PersisterConfiguration.self) { configuration, context in
      try await Persister.build(configuration, context)
    }
  }
}
