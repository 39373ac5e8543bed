import ServiceRuntime
import Signaling

@main struct SignalingMain {
  static func main() async {
    await ServiceRuntime.run("signaling", configuration: SignalingConfiguration.self) { configuration, context in
      try await SignalingService.build(configuration, context)
    }
  }
}
