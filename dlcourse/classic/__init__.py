"""Networks from before backpropagation, and beside it, each in one screen of NumPy.

Read them in the order of history. The first wave: `logic`, `hebbian`, `perceptron`, `pandemonium`,
and what ended it, `minsky_papert`. Between the waves: `visual_cortex`, `stereo`,
`adaptive_resonance`, `competitive`, `neocognitron`. The second wave: `kohonen`, `hopfield`, `pole`,
`boltzmann`, `rbf`, `belief_net`, `reservoir`. The spark of the third: `deep_belief`,
`convolutional_dbn`, `sparse_coding`.

Models are used as in scikit-learn: arguments and the seed to the constructor, ``fit`` learns, what
has been learned ends in an underscore, ``predict`` or ``transform`` use it.
"""

from .adaptive_resonance import ART1
from .belief_net import SigmoidBeliefNetwork
from .boltzmann import RBM, BoltzmannMachine, all_states
from .competitive import NeckerCube, reading_of, winner_take_all
from .convolutional_dbn import (
    ConvolutionalDBN,
    ConvolutionalRBM,
    orientation_selectivity,
    whiten,
)
from .deep_belief import DeepBeliefNetwork, DeepBoltzmannMachine
from .hebbian import LinearAssociator, crosstalk, invariant, translations
from .hopfield import Hopfield, overlap_at_load
from .kohonen import LVQ, SOM, NearestMean
from .logic import AND, BUT_NOT, NOT, OR, McCullochPitts, heat_illusion, nand, truth_table, xor
from .minsky_papert import (
    Separation,
    all_pictures,
    connected,
    masks,
    parity,
    predicate_order,
    separate,
)
from .neocognitron import Neocognitron
from .pandemonium import Pandemonium, stroke_demons
from .perceptron import Adaline, Madaline, Perceptron, novikoff_bound
from .pole import ActorCritic, CartPole
from .rbf import RBFNetwork, k_means
from .reservoir import EchoStateNetwork
from .sparse_coding import OMP1Features, orthogonal_matching_pursuit, patches
from .stereo import cooperative_stereo, random_dot_stereogram
from .visual_cortex import VisualCell, gabor, grating

__all__ = [
    "AND",
    "ART1",
    "BUT_NOT",
    "LVQ",
    "NOT",
    "OR",
    "RBM",
    "SOM",
    "ActorCritic",
    "Adaline",
    "BoltzmannMachine",
    "CartPole",
    "ConvolutionalDBN",
    "ConvolutionalRBM",
    "DeepBeliefNetwork",
    "DeepBoltzmannMachine",
    "EchoStateNetwork",
    "Hopfield",
    "LinearAssociator",
    "Madaline",
    "McCullochPitts",
    "NearestMean",
    "NeckerCube",
    "Neocognitron",
    "OMP1Features",
    "Pandemonium",
    "Perceptron",
    "RBFNetwork",
    "Separation",
    "SigmoidBeliefNetwork",
    "VisualCell",
    "all_pictures",
    "all_states",
    "connected",
    "cooperative_stereo",
    "crosstalk",
    "gabor",
    "grating",
    "heat_illusion",
    "invariant",
    "k_means",
    "masks",
    "nand",
    "novikoff_bound",
    "orientation_selectivity",
    "orthogonal_matching_pursuit",
    "overlap_at_load",
    "parity",
    "patches",
    "predicate_order",
    "random_dot_stereogram",
    "reading_of",
    "separate",
    "stroke_demons",
    "translations",
    "truth_table",
    "whiten",
    "winner_take_all",
    "xor",
]
