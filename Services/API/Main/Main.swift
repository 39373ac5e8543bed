import API
import ServiceRuntime

@main struct APIMain {
  static func main() async {
    await ServiceRuntime.run("api", configuration: APIConfiguration.self) { configuration, context in
      try await APIService.build(configuration, context)
    }
  }
}
