internal import Access
internal import Models

/// Why a token that a client sent in-band does not take the place of the connection's own, which goes on counting.
enum RenewalError: Error, Hashable {
  case earlierOneIsChecked
  case otherUsers
  case refused(AccessError)
  /// The same token may be taken in a moment.
  case unavailable

  /// What a client is told.
  var text: String {
    switch self {
    case .earlierOneIsChecked: "An earlier token is still being checked"
    case .otherUsers: "The token is another user's; open another connection with it"
    case .refused(let error): error.text
    case .unavailable: "The token cannot be checked now; send it again in a moment"
    }
  }
}

/// The life of the token behind a connection (SPEC, section 2): told a minute before its end, renewed in-band, and the connection's end with it. Pure.
struct TokenLife {
  enum Notice: Equatable {
    case expiring
    case expired
  }

  /// How long before its end a client is told.
  static let notice = Duration.seconds(60)

  private(set) var principal: Principal
  private var isTold = false
  /// Whether another token is being checked.
  private var isRenewing = false

  init(_ principal: Principal) { self.principal = principal }

  /// What is to be said now.
  mutating func tick(now: Timestamp) -> Notice? {
    guard now < principal.expiresAt else { return .expired }
    guard !isTold, principal.expiresAt - now <= Self.notice else { return nil }
    isTold = true
    return .expiring
  }

  /// Another token is to be checked. One at a time.
  mutating func beginRenewal() throws(RenewalError) {
    guard !isRenewing else { throw .earlierOneIsChecked }
    isRenewing = true
  }

  /// The other token was checked: it takes the place of the one before if it is the same user's.
  mutating func renew(_ admission: AccessGate.Admission) throws(RenewalError) {
    isRenewing = false
    switch admission {
    case .admitted(let other):
      guard other.subject == principal.subject else { throw .otherUsers }
      self = TokenLife(other)
    case .refused(let error): throw .refused(error)
    case .unavailable: throw .unavailable
    }
  }
}
