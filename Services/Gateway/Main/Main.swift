import Gateway
import ServiceRuntime

@main struct GatewayMain {
  static func main() async {
    await ServiceRuntime.run("gateway", configuration: GatewayConfiguration.self) { configuration, context in
      try await GatewayService.build(configuration, context)
    }
  }
}
