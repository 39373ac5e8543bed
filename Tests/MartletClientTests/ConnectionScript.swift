import Foundation

/// One of `Tests/Connections/scripts`: its README has the form.
struct ConnectionScript: Decodable, Sendable {
  /// What the app does when something has happened for the first time.
  struct Reaction: Decodable, Sendable {
    struct Order: Decodable, Sendable {
      let appliance_id: String
      let type: String
      let data: [String: String]?
    }

    let after: String
    let send: Order
  }

  let name: String
  let watch: [String]?
  let since: [String: String]?
  let api: Bool?
  let tokens: [String]?
  let random: Double?
  let app: [Reaction]?
  let sees: [String: Seen]?

  /// One member of a record.
  enum Seen: Decodable, Equatable, Sendable, CustomStringConvertible {
    case lines([String])
    case numbers([Double])
    case count(Int)

    init(from decoder: any Decoder) throws {
      let value = try decoder.singleValueContainer()
      if let count = try? value.decode(Int.self) {
        self = .count(count)
      } else if let lines = try? value.decode([String].self), !lines.isEmpty {
        self = .lines(lines)
      } else {
        self = .numbers(try value.decode([Double].self))
      }
    }

    /// An empty list is one of either kind.
    static func == (left: Seen, right: Seen) -> Bool { left.description == right.description }

    /// How much was seen.
    var size: Int {
      switch self {
      case .lines(let lines): lines.count
      case .numbers(let numbers): numbers.count
      case .count(let count): count
      }
    }

    var description: String {
      switch self {
      case .lines(let lines): "\(lines)"
      case .numbers(let numbers): "\(numbers)"
      case .count(let count): "\(count)"
      }
    }
  }
}
