import Foundation
import MartletClient

/// Follows an appliance, or sends it a command and tells what becomes of it:
/// `TOKEN=… AnyApp wss://martlet.example.com/ws https://martlet.example.com/api EPIC-001 [cooking:stop]`
@main struct AnyApp {
  static func main() async throws {
    let arguments = CommandLine.arguments
    guard arguments.count >= 4 else { return print("AnyApp URL API APPLIANCE [COMMAND]") }
    let client = try MartletClient(url: arguments[1], api: arguments[2]) { renew in
      guard !renew, let token = ProcessInfo.processInfo.environment["TOKEN"] else { throw SignedOut() }
      return token
    }
    async let connection: Void = client.run()
    if arguments.count > 4 {
      do {
        let answer = try await client.send(MartletCommand(type: arguments[4]), to: arguments[3]) { step in print(step) }
        return print(answer.message ?? "done")
      } catch {
        print("failed:", error)
        exit(1)
      }
    }
    for try await event in await client.events(of: [arguments[3]]) {
      switch event.content {
      case .cookingProgress(let progress): print(progress.stageName ?? "cooking", progress.temperature ?? .nan, "°C")
      case .cookingError(let error): print("error:", error.message ?? error.code ?? "unknown")
      default: print(event.type, String(decoding: event.data, as: UTF8.self))
      }
    }
    try await connection
  }
}
