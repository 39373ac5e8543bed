import Rules
import ServiceRuntime

@main
struct Main {
  static func main() async {
    await ServiceRuntime.run("rules", configuration: RulesConfiguration.self) { configuration, context in
      try await Rules.build(configuration, context)
    }
  }
}
