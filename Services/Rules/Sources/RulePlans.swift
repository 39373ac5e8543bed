import Models
import RuleEvaluation

/// Which rules of an edition concern which appliance, worked out once for each; appliances under the same rules share a set. A memo and nothing else.
final class RulePlans {
  let edition: RuleBook.Edition
  private var sets: [RuleSet] = []
  /// Where the set of these rules stands.
  private var places: [[Int]: Int] = [:]
  private var placeOf: [ApplianceID: Int] = [:]

  /// More than that are asked for anew, again and again.
  private static let appliancesMax = 65_536

  init(_ edition: RuleBook.Edition) { self.edition = edition }

  func with<R>(rulesOf appliance: ApplianceID, _ body: (inout RuleSet) -> R) -> R {
    body(&sets[place(of: appliance)])
  }

  private func place(of appliance: ApplianceID) -> Int {
    if let known = placeOf[appliance] { return known }
    let dialect = edition.dialects[appliance]
    let concerning = edition.rules.indices.filter {
      edition.rules[$0].isEnabled && edition.rules[$0].scope.contains(appliance, dialect: dialect)
    }
    let place = places[concerning] ?? add(concerning)
    if placeOf.count >= Self.appliancesMax { placeOf.removeAll() }
    placeOf[appliance] = place
    return place
  }

  private func add(_ concerning: [Int]) -> Int {
    sets.append(RuleSet(concerning.map { edition.rules[$0] }))
    places[concerning] = sets.count - 1
    return sets.count - 1
  }
}
