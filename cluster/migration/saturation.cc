#include "cluster/migration/saturation.h"

#include <array>

namespace failsim {
namespace {

// e^-(2^k) for k = 5, 4 ... -32, as multiples of 2^-62. Integers, because the exp() of a library
// differs between machines and a run must not.
constexpr std::array<std::uint64_t, 38> kExponentials = {58403u,
                                                         518976891834u,
                                                         1547048310802923u,
                                                         84465975781740359u,
                                                         624123833502197200u,
                                                         1696544475317221319u,
                                                         2797128963144291325u,
                                                         3591584682430698961u,
                                                         4069798626954855183u,
                                                         4332278087304955805u,
                                                         4469799356029710115u,
                                                         4540188453729421605u,
                                                         4575797593107614195u,
                                                         4593706758521714574u,
                                                         4602687609541841169u,
                                                         4607184617107619806u,
                                                         4609434768280048980u,
                                                         4610560255948314624u,
                                                         4611123102832306901u,
                                                         4611404552040437080u,
                                                         4611545283086494379u,
                                                         4611615650220078421u,
                                                         4611650834189516459u,
                                                         4611668426274897877u,
                                                         4611677222342754299u,
                                                         4611681620382973951u,
                                                         4611683819404656640u,
                                                         4611684918915891200u,
                                                         4611685468671606784u,
                                                         4611685743549489152u,
                                                         4611685880988436480u,
                                                         4611685949707911680u,
                                                         4611685984067649664u,
                                                         4611686001247518752u,
                                                         4611686009837453320u,
                                                         4611686014132420610u,
                                                         4611686016279904256u,
                                                         4611686017353646080u};

}  // namespace

std::uint64_t covered_fraction(Wide written, std::uint64_t size) {
  constexpr std::uint64_t kOne = std::uint64_t{1} << kFractionBits;
  if (written / 64 >= size) return kOne;
  const Wide exponent = (written << 32) / size;  // below 64 * 2^32
  std::uint64_t rest = kOne;
  for (unsigned i = 0; i < kExponentials.size(); ++i) {
    const unsigned bit = 37 - i;
    if (((exponent >> bit) & 1) == 0) continue;
    rest = static_cast<std::uint64_t>((Wide{rest} * kExponentials[i]) >> kFractionBits);
  }
  return kOne - rest;
}

}  // namespace failsim
