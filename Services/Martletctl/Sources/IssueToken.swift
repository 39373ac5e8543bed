import Access
import ArgumentParser
import Models
import ServiceRuntime
import Store

struct IssueToken: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "token",
    abstract: "Prints a token for a user, or for a device.",
    discussion:
      """
      The token is a JWT, signed by HS256 with the first secret in MARTLET_JWT_SECRET or in the file that \
      MARTLET_JWT_SECRET_FILE names; MARTLET_JWT_ISSUER and MARTLET_JWT_AUDIENCE become its iss and aud.
      """
  )

  @Argument(help: "The user's id; with --device, the appliance's.")
  var subject: String

  @Flag(help: "Make a token that the appliance itself connects with. A user's work is nothing to it.")
  var device = false

  @Option(
    help: ArgumentHelp("How long it is valid: 900, 15m, 12h or 7d; at most 366d.", valueName: "duration"),
    transform: Lifetime.init)
  var lifetime = Lifetime.default

  @Flag(help: "Do not ask the database whether there is such a user or appliance.")
  var unchecked = false

  @OptionGroup(title: "Servers") var postgres: PostgresOptions
  @OptionGroup(title: "Servers") var file: ConfigFileOption

  func validate() throws {
    guard !device else {
      do { _ = try ApplianceID(subject) } catch { throw ValidationError("\(error).") }
      return
    }
    guard (1...TokenVerifier.subjectLengthMax_bytes).contains(subject.utf8.count) else {
      throw ValidationError("A user's id has 1 to \(TokenVerifier.subjectLengthMax_bytes) bytes.")
    }
  }

  func run() async throws {
    try await reporting {
      let values = try ConfigurationValues(postgres, file)
      let settings = try TokenSettings(reading: values)
      guard let secrets = settings.secrets?.current() else { throw values.missing(.jwtSecret) }
      let issuer = await TokenIssuer(secret: secrets.signing, rules: settings.rules)
      if device {
        let appliance = try ApplianceID(subject)
        try await require("appliance", values) { try await $0.device(appliance) != nil }
        Console.say(try await issuer.issue(device: appliance, now: .now(), lifetime: lifetime.duration))
      } else {
        try await require("user", values) { try await $0.account(of: subject) != nil }
        Console.say(try await issuer.issue(userID: subject, now: .now(), lifetime: lifetime.duration))
      }
    }
  }

  /// Asks the database whether there is what the token is for, unless told not to.
  private func require(_ kind: String, _ values: ConfigurationValues, _ exists: (AccountStore) async throws -> Bool) async throws {
    guard !unchecked else { return }
    guard try await Connections.withAccounts(values, exists) else {
      throw CommandError("There is no \(kind) “\(subject)”: add the \(kind) with `martletctl apply`, or say --unchecked.")
    }
  }
}

/// How long a token lives: a number of seconds, or of minutes, hours or days with `m`, `h` or `d` behind it.
struct Lifetime: Sendable, Equatable, CustomStringConvertible {
  static let secondsMax = 366 * 86_400
  static let `default` = Lifetime(seconds: 900, description: "15m")

  private let seconds: Int
  let description: String

  var duration: Duration { .seconds(seconds) }

  private init(seconds: Int, description: String) {
    self.seconds = seconds
    self.description = description
  }

  init(_ text: String) throws {
    let units: [Character: Int] = ["s": 1, "m": 60, "h": 3600, "d": 86_400]
    let unit = text.last.flatMap { units[$0] }
    let (seconds, overflow) = (Int(unit == nil ? text : String(text.dropLast())) ?? 0).multipliedReportingOverflow(by: unit ?? 1)
    guard !overflow, (1...Self.secondsMax).contains(seconds) else {
      throw ValidationError("“\(text.prefix(40))” is no lifetime: write 900, 15m, 12h or 7d; at most 366d.")
    }
    self.init(seconds: seconds, description: text)
  }
}
