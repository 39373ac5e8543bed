import Access
import ArgumentParser
import Models
import ServiceRuntime
import Store

struct IssueToken: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "token",
    abstract: "Prints a token for a user.",
    discussion:
      "The token is a JWT, signed by HS256 with the secret in MARTLET_JWT_SECRET or in the file that MARTLET_JWT_SECRET_FILE names.")

  @Argument(help: "The user's id.")
  var user: String

  @Option(
    help: ArgumentHelp("How long it is valid: 900, 15m, 12h or 7d; at most 366d.", valueName: "duration"),
    transform: Lifetime.init)
  var lifetime = Lifetime.default

  @Flag(help: "Do not ask the database whether there is such a user.")
  var unchecked = false

  @OptionGroup(title: "Servers") var postgres: PostgresOptions
  @OptionGroup(title: "Servers") var file: ConfigFileOption

  func validate() throws {
    guard (1...TokenVerifier.userIDLengthMax_bytes).contains(user.utf8.count) else {
      throw ValidationError("A user's id has 1 to \(TokenVerifier.userIDLengthMax_bytes) bytes.")
    }
  }

  func run() async throws {
    try await reporting {
      let values = try ConfigurationValues(postgres, file)
      guard let secret = TokenSecret(try values.secret(.jwtSecret)) else {
        throw values.invalid(.jwtSecret, wants: "at least \(TokenSecret.lengthMin_bytes) bytes")
      }
      if !unchecked {
        let exists = try await Connections.withAccounts(values) { try await $0.account(of: user) != nil }
        guard exists else {
          throw CommandError("There is no user “\(user)”: add the user with `martletctl apply`, or say --unchecked.")
        }
      }
      Console.say(try await TokenIssuer(secret: secret).issue(userID: user, now: .now(), lifetime: lifetime.duration))
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
