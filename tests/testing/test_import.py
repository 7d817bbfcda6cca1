"""Without Hypothesis, the kit says what to install."""

import subprocess
import sys


def test_without_hypothesis_the_remedy_is_named() -> None:
    program = (
        "import sys\n"
        "sys.modules['hypothesis'] = None\n"
        "import jaxnets\n"
        "try:\n"
        "    import jaxnets.testing\n"
        "except ImportError as error:\n"
        "    print(error)\n"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert 'pip install "jaxnets[test]"' in result.stdout
